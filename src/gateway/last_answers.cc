#include "gateway/last_answers.h"

#include <chrono>
#include <utility>

namespace gatehouse::gateway {

using Unfinished = EventForwarder::Unfinished;

LastAnswers::LastAnswers(net::Loop& loop, ClientTable& table, Clients& clients, EventForwarder& forwarder)
    : loop_(loop), table_(table), clients_(clients), forwarder_(forwarder) {
  forwarder_.set_watcher([this](std::uint32_t connection_id) { look(connection_id); });
}

LastAnswers::~LastAnswers() {
  forwarder_.set_watcher({});
  for (const auto& [id, ending] : endings_) {
    forwarder_.unwatch(id);
    loop_.cancel(ending.timer);
  }
}

void LastAnswers::close(std::uint32_t client, const CloseReason& reason) {
  if (table_[client].ends || wait(client, reason, false)) return;
  clients_.close(client, reason.cause, reason.code, reason.text);
}

void LastAnswers::refuse(std::uint32_t client) {
  const CloseReason reason{CloseReason::Cause::protocol_error, 0, {}};
  if (table_[client].ends || wait(client, reason, false)) return;
  const net::Connection* connection = loop_.find(table_[client].connection);
  // A stranger that speaks something else is not waited for.
  if (connection == nullptr || connection->queued_bytes() == 0) return clients_.destroy(client, reason.cause);
  clients_.close(client, reason.cause, reason.code);
}

bool LastAnswers::keep(std::uint32_t client) {
  return table_[client].ends || wait(client, {CloseReason::Cause::client_closed, 0, {}}, true);
}

bool LastAnswers::wait(std::uint32_t client, const CloseReason& reason, bool has_closed) {
  ClientRecord& record = table_[client];
  const Unfinished unfinished = forwarder_.unfinished_events_of(record);
  // Nobody can tell whether something is to come; of one that has long been silent nothing is.
  const bool may_be_answered = unfinished == Unfinished::some || (unfinished == Unfinished::unknown && record.silent_ticks < 0);
  net::Connection* connection = loop_.find(record.connection);
  if (!may_be_answered || connection == nullptr || !connection->is_open()) return false;
  record.ends = true;
  connection->pause();
  forwarder_.watch(record.id);
  const std::uint64_t time_ms = unfinished == Unfinished::some ? kMostMs : kUnacknowledgedMs;
  const net::TimerId timer = loop_.after(std::chrono::milliseconds(time_ms), [this, id = record.id] { end(id); });
  endings_.insert_or_assign(record.id, Ending{reason, has_closed, timer});
  return true;
}

/// Events of the client have been finished.
void LastAnswers::look(std::uint32_t connection_id) {
  const std::uint32_t client = table_.find(connection_id);
  if (client == ClientTable::kNone || forwarder_.unfinished_events_of(table_[client]) == Unfinished::none) end(connection_id);
}

void LastAnswers::end(std::uint32_t connection_id) {
  auto ended = endings_.extract(connection_id);
  if (ended.empty()) return;
  const Ending& ending = ended.mapped();
  loop_.cancel(ending.timer);
  forwarder_.unwatch(connection_id);
  const std::uint32_t client = table_.find(connection_id);
  if (client == ClientTable::kNone) return;
  if (!ending.has_closed) return clients_.close(client, ending.reason.cause, ending.reason.code, ending.reason.text);
  net::Connection* connection = loop_.find(table_[client].connection);
  clients_.depart(client, ending.reason);
  if (connection != nullptr) connection->close();
}

}  // namespace gatehouse::gateway
