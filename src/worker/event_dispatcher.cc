#include "worker/event_dispatcher.h"

#include <utility>

#include "worker/session_change.h"

namespace gatehouse {
namespace {

constexpr std::size_t kMostSpare = 1024;
// What a client is told whose handshake nobody could decide on.
constexpr int kUnreadable = 400;
constexpr int kHandlerFailed = 500;

const char* name_of(wire::Command command) {
  switch (command) {
    case wire::Command::on_connect: return "on_connect";
    case wire::Command::on_message: return "on_message";
    case wire::Command::on_close: return "on_close";
    case wire::Command::on_websocket_connect: return "on_websocket_connect";
    default: return nullptr;  // not an event
  }
}

Activity activity_of(wire::Command command) {
  switch (command) {
    case wire::Command::on_connect: return Activity::on_connect;
    case wire::Command::on_message: return Activity::on_message;
    case wire::Command::on_close: return Activity::on_close;
    default: return Activity::on_websocket_connect;
  }
}

}  // namespace

EventDispatcher::EventDispatcher(net::Loop& loop, ClusterCalls& calls, Cluster& cluster, Scheduler& scheduler, Events& events,
                                 Limits limits)
    : loop_(loop), calls_(calls), cluster_(cluster), scheduler_(scheduler), events_(events), limits_(limits) {}

void EventDispatcher::on_event(const wire::GatewayFrame& frame, bool native, const link::EventTicket& ticket) {
  if (ended_) return;
  if (name_of(frame.header.command) == nullptr) {
    if (bad_events_.allow(loop_.now_ms())) {
      loop_.log().warning("an event of the unknown kind {} was passed over (and {} like it before)",
                          static_cast<int>(frame.header.command), bad_events_.take_suppressed());
    }
    calls_.event_finished({frame.header.local_ip, frame.header.local_port}, ticket, false);
    return;
  }
  ++event_count_;
  Event event = take();
  event->assign(frame, native, ticket);
  const auto found = clients_.empty() ? clients_.end() : clients_.find(event->client_id());
  if (found == clients_.end()) {
    begin(std::move(event), nullptr);
  } else if (found->second.busy) {
    hold(*event);
    auto& waiting = found.value().waiting;
    if (!waiting) waiting = std::make_unique<std::deque<Event>>();
    waiting->push_back(std::move(event));
  } else {
    begin(std::move(event), &found.value().session);
  }
}

EventDispatcher::Event EventDispatcher::take() {
  if (spare_.empty()) return std::make_unique<ClientContext>(calls_, cluster_);
  Event event = std::move(spare_.back());
  spare_.pop_back();
  return event;
}

void EventDispatcher::give_back(Event event) {
  event->clear();
  if (spare_.size() < kMostSpare) spare_.push_back(std::move(event));
}

/// True when the event is done with; otherwise it is in the table now. `session` may be null.
bool EventDispatcher::begin(Event event, SessionRecord* session) {
  if (session != nullptr && session->is_known()) {
    if (!session->differs(event->session_bytes())) {
      session->confirmed();
    } else if (event->command() != wire::Command::on_close) {
      fetch_session(std::move(event));
      return false;
    } else if (const std::string* written = session->newer_than(event->session_bytes())) {
      event->set_session_bytes(*written);
    }
  }
  return run(std::move(event));
}

bool EventDispatcher::run(Event event) {
  if (event->is_redelivered()) calls_.event_begun(link::GatewayKey::of(event->client_id()), event->ticket());
  const wire::ClientId& id = event->client_id();
  const ActivityMark mark(box_, activity_of(event->command()), {id.local_ip, id.local_port, id.connection_id});
  try {
    if (!event->handler.start(call_handler(*event), scheduler_)) {
      ClientContext* suspended = event.get();
      suspended->handler.when_done([this, suspended] { on_handler_done(suspended); });
      suspend(std::move(event));
      return false;
    }
  } catch (...) {
    // A handler that is no coroutine throws here; a coroutine's exception comes out of finish().
    report(*event, std::current_exception());
    event->handler.reset();
    event->verdict() = {.status = kHandlerFailed, .words = {}, .subprotocol = {}};
  }
  finish(*event);
  give_back(std::move(event));
  return true;
}

Task<> EventDispatcher::call_handler(ClientContext& event) {
  switch (event.command()) {
    case wire::Command::on_connect: return events_.on_connect(event.client);
    case wire::Command::on_message: return events_.on_message(event.client, event.message());
    case wire::Command::on_close: return events_.on_close(event.client, event.close_reason());
    default: break;
  }
  if (event.has_handshake()) return events_.on_websocket_connect(event.client, event.handshake());
  if (bad_events_.allow(loop_.now_ms())) {
    loop_.log().warning("the handshake of client {} cannot be read and was passed over (and {} like it before)", event.id(),
                        bad_events_.take_suppressed());
  }
  event.verdict().status = kUnreadable;
  return {};
}

void EventDispatcher::suspend(Event event) {
  hold(*event);
  ClientState& state = clients_[event->client_id()];
  if (!std::exchange(state.busy, true)) ++busy_;
  state.running = std::move(event);
}

/// The event's session and what this worker knows differ, so one of them is old. The question goes behind the commands that were
/// sent before, so its answer is newer than both.
void EventDispatcher::fetch_session(Event event) {
  ClientContext* fetching = event.get();
  suspend(std::move(event));
  fetching->question = calls_.ask(link::ask_session(fetching->client_id()),
                                  [this, fetching](link::Answers answers) { on_session(fetching, std::move(answers)); });
}

void EventDispatcher::on_session(ClientContext* fetching, link::Answers answers) {
  const wire::ClientId client = fetching->client_id();
  fetching->question = 0;
  Event event = resume(*fetching);
  // No answer, or one that says the client is gone ("N;"): the event's own session is the best there is.
  if (answers.size() == 1 && answers.front().answered && answers.front().value.starts_with("a:")) {
    clients_[client].session.fetched(answers.front().value);
    event->set_session_bytes(std::move(answers.front().value));
  }
  if (run(std::move(event))) run_waiting(client);
}

void EventDispatcher::on_handler_done(ClientContext* done) {
  const wire::ClientId client = done->client_id();
  Event event = resume(*done);
  finish(*event);
  give_back(std::move(event));
  run_waiting(client);
}

/// Takes the event out of the table, where its client stays busy.
EventDispatcher::Event EventDispatcher::resume(ClientContext& event) {
  release(event);
  return std::move(clients_.find(event.client_id()).value().running);
}

void EventDispatcher::run_waiting(const wire::ClientId& client) {
  for (;;) {
    // Looked up anew each time: a handler's events may have moved the table.
    const auto found = clients_.find(client);
    if (found == clients_.end()) return;
    ClientState& state = found.value();
    if (!state.waiting || state.waiting->empty()) {
      state.waiting.reset();
      if (std::exchange(state.busy, false)) --busy_;
      if (!state.session.is_known()) clients_.erase(found);
      return;
    }
    Event event = std::move(state.waiting->front());
    state.waiting->pop_front();
    release(*event);
    if (!begin(std::move(event), &state.session)) return;
  }
}

void EventDispatcher::finish(ClientContext& event) {
  try {
    event.handler.result();
    save_session(event);
  } catch (...) {
    report(event, std::current_exception());
    // A check that failed lets nobody in.
    event.verdict() = {.status = kHandlerFailed, .words = {}, .subprotocol = {}};
  }
  // Behind the session and all that the handler has sent.
  if (event.awaits_answer()) calls_.answer_handshake(event.client_id(), event.verdict());
  if (event.command() == wire::Command::on_close) forget(event.client_id());
  acknowledge(event);
}

/// One that was with another worker before is told at once: if the next one is what ends workers, this one is not to be done
/// again.
void EventDispatcher::acknowledge(const ClientContext& event) {
  calls_.event_finished(link::GatewayKey::of(event.client_id()), event.ticket(), event.is_redelivered());
}

void EventDispatcher::save_session(ClientContext& event) {
  if (!event.has_read_session() || event.command() == wire::Command::on_close) return;
  const std::optional<std::string> session = event.changed_session();
  if (!session) return;
  const SessionChange change = session_change(event.session_bytes(), *session, event.is_native());
  calls_.save_session(event.client_id(), change.command, change.ext);
  clients_[event.client_id()].session.wrote(event.session_bytes(), *session);
}

void EventDispatcher::forget(const wire::ClientId& client) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  found.value().session.forget();
  if (!found->second.busy) clients_.erase(found);
}

void EventDispatcher::on_events_lost(link::GatewayKey gateway) {
  // Its clients' events go to other workers now, and so does what they write.
  for (auto it = clients_.begin(); it != clients_.end();) {
    if (link::GatewayKey::of(it->first) != gateway) {
      ++it;
      continue;
    }
    it.value().session.forget();
    if (it->second.busy) {
      ++it;
    } else {
      it = clients_.erase(it);
    }
  }
}

void EventDispatcher::hold(const ClientContext& event) {
  held_bytes_ += event.size();
  if (held_bytes_ <= limits_.max_held_bytes || paused_) return;
  paused_ = true;
  loop_.log().warning("{} bytes of events wait for handlers that have not finished; reading from the gateways is paused",
                      held_bytes_);
  calls_.pause_events(true);
}

void EventDispatcher::release(const ClientContext& event) {
  held_bytes_ -= event.size();
  if (!paused_ || held_bytes_ > limits_.max_held_bytes / 2) return;
  paused_ = false;
  calls_.pause_events(false);
}

void EventDispatcher::clear() {
  ended_ = true;
  Clients ending;
  ending.swap(clients_);
  for (auto it = ending.begin(); it != ending.end(); ++it) {
    if (it->second.running && it->second.running->question != 0) calls_.cancel(it->second.running->question);
  }
  // Destroying a handler destroys its locals, which may call anything once more.
  ending.clear();
  held_bytes_ = 0;
  busy_ = 0;
}

void EventDispatcher::report(ClientContext& event, const std::exception_ptr& error) {
  ++error_count_;
  if (!bad_handlers_.allow(loop_.now_ms())) return;
  const std::uint64_t suppressed = bad_handlers_.take_suppressed();
  const std::string more = suppressed == 0 ? std::string() : " (and " + std::to_string(suppressed) + " errors like it before)";
  const char* name = name_of(event.command());
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    loop_.log().error("{} of client {} failed: {}{}", name, event.id(), exception.what(), more);
  } catch (...) {
    loop_.log().error("{} of client {} failed with an exception that is no std::exception{}", name, event.id(), more);
  }
}

}  // namespace gatehouse
