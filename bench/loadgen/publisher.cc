#include "publisher.h"

#include "clock.h"
#include "fan_out_message.h"

namespace loadgen {
namespace {

/// In the closed loop a publication that never arrives would hold everything up for good.
constexpr std::uint64_t kLongestDeliveryNs = 5 * kSecondNs;
constexpr unsigned kGivenUpAtMost = 3;
/// What the open loop may leave unsent when the server does not read.
constexpr std::size_t kLargestOutput = 64U << 20;

/// What tells the server whom the payload is for. With a publisher's URL of its own there is nothing to tell.
std::string command(const Options& options) {
  if (options.publisher_url) return {};
  if (options.mode == Mode::all) return "A";
  // A newline ends the message on text://.
  return "P" + options.group + (options.url.is_websocket ? '\n' : '\t');
}

}  // namespace

Publisher::Publisher(RunState& run, Connections& connections, MessageWriter& writer, Pace& pace)
    : run_(run),
      statistics_(connections.statistics()),
      writer_(writer),
      pace_(pace),
      connection_(*connections.publisher()),
      message_(command(run.options)),
      payload_at_(message_.size()) {
  message_.resize(payload_at_ + run.options.size, 'M');
}

void Publisher::publish_more(std::uint64_t time_ns) {
  if (!connection_.is_open() || time_ns >= run_.window_end_ns) return;
  collect(time_ns);
  if (pace_.is_open_loop())
    publish_due(time_ns);
  else
    fill_window(time_ns);
}

void Publisher::publish_due(std::uint64_t time_ns) {
  while (pace_.next_due_ns() <= time_ns && pace_.next_due_ns() < run_.window_end_ns) {
    if (outstanding() >= PublishLog::kCapacity - 1 || connection_.output.size() > kLargestOutput) {
      statistics_[Count::stalls]++;
      return;
    }
    publish(pace_.next_due_ns(), time_ns);
    if (!connection_.is_open()) return;
    pace_.advance();
  }
}

void Publisher::fill_window(std::uint64_t time_ns) {
  const std::uint64_t window = run_.options.window;
  if (outstanding() >= window && time_ns - last_progress_ns_ > kLongestDeliveryNs && !give_up_oldest(time_ns)) return;
  while (outstanding() < window && connection_.is_open()) publish(now_ns(), time_ns);
}

bool Publisher::give_up_oldest(std::uint64_t time_ns) {
  statistics_[Count::message_timeout]++;
  run_.first_error.note("fan-out: a message did not reach all subscribers within 5 s");
  next_to_collect_++;
  last_progress_ns_ = time_ns;
  if (++given_up_in_a_row_ < kGivenUpAtMost) return true;
  run_.window_end_ns = time_ns;
  return false;
}

void Publisher::publish(std::uint64_t due_ns, std::uint64_t time_ns) {
  run_.publications.open(next_sequence_, due_ns);
  char* payload = &message_[payload_at_];
  put_hex(payload + kSequenceAt, next_sequence_);
  put_hex(payload + kDueTimeAt, due_ns);
  run_.filler.write(payload + kFanOutFillerAt, run_.options.size - kFanOutFillerAt, next_sequence_);
  next_sequence_++;
  statistics_[Count::sent]++;
  writer_.discard_batch();
  writer_.append(connection_, message_);
  writer_.send_batch(connection_);
  last_progress_ns_ = time_ns;
}

void Publisher::collect(std::uint64_t time_ns) {
  for (; next_to_collect_ < next_sequence_ && run_.publications.is_complete(next_to_collect_); next_to_collect_++) {
    const auto [due_ns, last_ns] = run_.publications.result(next_to_collect_);
    if (last_ns >= run_.window_start_ns && due_ns < run_.window_end_ns)
      statistics_.time_to_last.add(last_ns > due_ns ? last_ns - due_ns : 0);
    last_progress_ns_ = time_ns;
    given_up_in_a_row_ = 0;
  }
}

}  // namespace loadgen
