#include "subscriber.h"

#include "fan_out_message.h"

namespace loadgen {

Subscriber::Subscriber(RunState& run, Statistics& statistics, const Waker* publisher)
    : run_(run), statistics_(statistics), publisher_(publisher), size_(run.options.size) {}

void Subscriber::take(Connection& connection, std::string_view message, std::uint64_t time_ns) {
  std::uint64_t sequence = 0;
  std::uint64_t due_ns = 0;
  if (message.size() != size_ || message[0] != 'M' || !get_hex(&message[kSequenceAt], sequence) ||
      !get_hex(&message[kDueTimeAt], due_ns))
    return note(Count::mismatch, "fan-out: delivery of another length or form");
  if (!run_.filler.matches(message.substr(kFanOutFillerAt), sequence)) return note(Count::mismatch, "fan-out: filler differs");
  if (sequence < connection.next_sequence) return note(Count::duplicate, "fan-out: duplicate or reordered delivery");
  statistics_[Count::gap] += sequence - connection.next_sequence;
  connection.next_sequence = sequence + 1;
  connection.received++;
  if (run_.is_measured(time_ns)) {
    statistics_[Count::measured]++;
    statistics_.latency.add(time_ns > due_ns ? time_ns - due_ns : 0);
  }
  if (run_.publications.deliver(sequence, time_ns) && publisher_ != nullptr) publisher_->wake();
}

void Subscriber::note(Count count, const char* problem) {
  statistics_[count]++;
  run_.first_error.note(problem);
}

}  // namespace loadgen
