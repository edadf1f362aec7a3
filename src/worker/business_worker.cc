#include "worker/business_worker.h"

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "link/cluster_calls.h"
#include "worker/event_dispatcher.h"
#include "worker/loop_scheduler.h"
#include "worker/worker_context.h"

namespace gatehouse {
namespace {

constexpr int kStopPollMs = 10;
constexpr std::uint64_t kEventsEndMs = 500;     // for the gateways to end the event connections, when nothing comes any more
constexpr std::uint64_t kHandlersEndMs = 2000;  // for suspended handlers to finish
constexpr std::uint64_t kConnectMs = 5000;      // for gateways that cannot be reached, when there are others

ClusterCalls::Settings call_settings(const WorkerOptions& options, int index, int generation, net::TlsContext* tls,
                                     const std::string& instance) {
  ClusterCalls::Settings settings;
  settings.register_addresses = options.register_addresses;
  settings.secret_key = options.secret_key;
  settings.tls = tls;
  settings.worker_key = options.name + ":" + std::to_string(index);
  if (!instance.empty()) settings.worker_key += "@" + instance;
  if (generation > 0) settings.worker_key += "~" + std::to_string(generation);
  settings.delivery = options.delivery == Delivery::at_least_once ? wire::Delivery::at_least_once : wire::Delivery::at_most_once;
  return settings;
}

}  // namespace

class BusinessWorker::State {
 public:
  State(net::Loop& loop, WorkerOptions options, int index, int generation, net::TlsContext* tls, const std::string& instance)
      : loop_(loop),
        options_(std::move(options)),
        scheduler_(loop),
        calls_(loop, call_settings(options_, index, generation, tls, instance)),
        cluster_(calls_),
        context_(loop, cluster_, scheduler_, options_.name, index) {}

  ~State() {
    loop_.cancel(poll_);
    loop_.cancel(connecting_);
    calls_.forget_events();
    context_.clear_tasks();
  }

  void record_in(BlackBox& box) {
    box_ = &box;
    context_.record_in(box);
  }

  void start(std::function<void()> failed, std::function<void()> ready, bool only_prepare) {
    failed_ = std::move(failed);
    ready_ = std::move(ready);
    only_prepare_ = only_prepare;
    calls_.start();
    if (!context_.guard("making the Events", [this] { make_events(); })) return fail();
    run(start_task_, "on_worker_start", [this] { return events_->on_worker_start(worker_); }, &State::on_started);
  }

  void serve(std::function<void()> serving) {
    if (stopping_) return;
    ready_ = std::move(serving);
    calls_.open_events(*dispatcher_);
    when_connected(&ClusterCalls::count_taking_events);
  }

  [[nodiscard]] const std::string& failure() const { return context_.last_error(); }

  void stop(std::function<void()> stopped, bool gracefully) {
    // Whoever lost patience is heard, though what has been waited for already counts.
    graceful_ = gracefully;
    if (std::exchange(stopping_, true)) return;
    stopped_ = std::move(stopped);
    stop_began_ms_ = last_busy_ms_ = loop_.now_ms();
    calls_.close_events();
    poll_ = loop_.every(std::chrono::milliseconds(kStopPollMs), [this] { poll_stop(); });
  }

  [[nodiscard]] MessageCounts message_counts() const { return {dispatcher_ ? dispatcher_->events() : 0, calls_.sent()}; }

  [[nodiscard]] RoleStatus status() const {
    RoleStatus status;
    status.connections = calls_.connected();
    status.messages_in = message_counts().in;
    status.messages_out = message_counts().out;
    status.send_failures = calls_.dropped();
    status.queued_bytes = calls_.queued_bytes();
    loop_.for_each_connection([&](const net::Connection& connection) { status.unread_bytes += connection.unread_bytes(); });
    status.handler_errors = context_.errors() + (dispatcher_ ? dispatcher_->errors() : 0);
    return status;
  }

 private:
  void make_events() {
    if (!options_.events) throw std::invalid_argument("WorkerOptions::events is not set");
    events_ = options_.events();
    if (!events_) throw std::invalid_argument("WorkerOptions::events gave no object");
    dispatcher_.emplace(loop_, calls_, cluster_, scheduler_, *events_);
    if (box_ != nullptr) dispatcher_->record_in(*box_);
  }

  /// Runs one task of the worker's own life; then calls `next` with whether it went well.
  template <class Make>
  void run(RootTask& task, const char* name, Make make, void (State::*next)(bool)) {
    bool finished = true;
    if (!context_.guard(name, [&] { finished = task.start(make(), scheduler_); })) return (this->*next)(false);
    const auto end = [this, &task, name, next] { (this->*next)(context_.guard(name, [&task] { task.result(); })); };
    if (finished) return end();
    task.when_done(end);
  }

  void on_started(bool well) {
    if (!well) return fail();
    started_ = true;
    if (stopping_) return;
    if (only_prepare_) return when_connected(&ClusterCalls::count_taking_commands);
    calls_.open_events(*dispatcher_);
    be_ready();
  }

  void be_ready() {
    loop_.cancel(connecting_);
    const std::function<void()> ready = std::exchange(ready_, nullptr);
    if (ready && !stopping_) ready();
  }

  /// Calls be_ready() when all gateways are counted by `count`; after some time those that are not there do not matter.
  void when_connected(std::size_t (ClusterCalls::*count)() const) {
    connecting_ = loop_.every(std::chrono::milliseconds(kStopPollMs), [this, count, began_ms = loop_.now_ms()] {
      const std::size_t connected = (calls_.*count)();
      const bool all = calls_.is_known() && connected == calls_.gateway_count();
      if (all || (connected > 0 && loop_.now_ms() - began_ms >= kConnectMs)) be_ready();
    });
  }

  void fail() {
    const std::function<void()> failed = std::exchange(failed_, nullptr);
    if (failed && !stopping_) failed();  // may destroy this object
  }

  void poll_stop() {
    const std::uint64_t now_ms = loop_.now_ms();
    const bool handlers_ended = start_task_.done() && (!dispatcher_ || dispatcher_->busy() == 0);
    const std::uint64_t events = dispatcher_ ? dispatcher_->events() : 0;
    if (!handlers_ended || std::exchange(last_events_, events) != events) last_busy_ms_ = now_ms;
    // A native gateway ends its connection when all that it had sent is finished, and what it is slow to send would be lost
    // where each event is delivered at most once: patience waits for it. One that says nothing of the kind is not waited for.
    const bool waits_for_gateways = graceful_ && calls_.event_connections_ending_in_order() > 0;
    const bool events_ended = calls_.event_connections() == 0 || (!waits_for_gateways && now_ms - last_busy_ms_ >= kEventsEndMs);
    const bool in_time = graceful_ || now_ms - stop_began_ms_ < kHandlersEndMs;
    if (in_time && !(handlers_ended && events_ended)) return;
    loop_.cancel(poll_);
    calls_.forget_events();
    if (!handlers_ended) {
      loop_.log().warning("stopped with handlers of {} clients not finished", dispatcher_ ? dispatcher_->busy() : 0);
    }
    if (dispatcher_) dispatcher_->clear();
    if (!started_) {
      start_task_.reset();
      return on_stopped(true);
    }
    run(stop_task_, "on_worker_stop", [this] { return events_->on_worker_stop(worker_); }, &State::on_stopped);
  }

  void on_stopped(bool /*well*/) {
    context_.clear_tasks();
    calls_.stop([this] {
      const std::function<void()> stopped = std::exchange(stopped_, nullptr);
      if (stopped) stopped();
    });
  }

  // In this order, for what stands further down refers to what stands above it.
  net::Loop& loop_;
  BlackBox* box_ = nullptr;
  const WorkerOptions options_;
  LoopScheduler scheduler_;
  ClusterCalls calls_;
  Cluster cluster_;
  WorkerContext context_;
  Worker worker_{context_};
  std::unique_ptr<Events> events_;
  std::optional<EventDispatcher> dispatcher_;
  RootTask start_task_;
  RootTask stop_task_;
  std::function<void()> failed_;
  std::function<void()> ready_;
  std::function<void()> stopped_;
  net::TimerId poll_;
  net::TimerId connecting_;
  std::uint64_t stop_began_ms_ = 0;
  std::uint64_t last_busy_ms_ = 0;  // while stopping: when an event came or a handler had not finished
  std::uint64_t last_events_ = 0;
  bool only_prepare_ = false;
  bool started_ = false;
  bool stopping_ = false;
  bool graceful_ = false;
};

BusinessWorker::BusinessWorker(net::Loop& loop, WorkerOptions options, int index, int generation, net::TlsContext* tls,
                               const std::string& instance)
    : state_(std::make_unique<State>(loop, std::move(options), index, generation, tls, instance)) {}

BusinessWorker::~BusinessWorker() = default;

void BusinessWorker::record_in(BlackBox& box) { state_->record_in(box); }

void BusinessWorker::start(std::function<void()> failed, std::function<void()> ready) {
  state_->start(std::move(failed), std::move(ready), false);
}

void BusinessWorker::prepare(std::function<void()> failed, std::function<void()> ready) {
  state_->start(std::move(failed), std::move(ready), true);
}

void BusinessWorker::serve(std::function<void()> serving) { state_->serve(std::move(serving)); }

const std::string& BusinessWorker::failure() const { return state_->failure(); }

void BusinessWorker::stop(std::function<void()> stopped) { state_->stop(std::move(stopped), false); }

void BusinessWorker::stop_gracefully(std::function<void()> stopped) { state_->stop(std::move(stopped), true); }

RoleStatus BusinessWorker::status() const { return state_->status(); }

MessageCounts BusinessWorker::message_counts() const { return state_->message_counts(); }

}  // namespace gatehouse
