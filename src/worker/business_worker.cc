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
constexpr std::uint64_t kEventsEndMs = 500;     // for the gateways to end the event connections
constexpr std::uint64_t kHandlersEndMs = 2000;  // for suspended handlers to finish

ClusterCalls::Settings call_settings(const WorkerOptions& options, int index) {
  ClusterCalls::Settings settings;
  settings.register_addresses = options.register_addresses;
  settings.secret_key = options.secret_key;
  settings.worker_key = options.name + ":" + std::to_string(index);
  return settings;
}

}  // namespace

class BusinessWorker::State {
 public:
  State(net::Loop& loop, WorkerOptions options, int index)
      : loop_(loop),
        options_(std::move(options)),
        scheduler_(loop),
        calls_(loop, call_settings(options_, index)),
        cluster_(calls_),
        context_(loop, cluster_, scheduler_, options_.name, index) {}

  ~State() {
    loop_.cancel(poll_);
    calls_.forget_events();
    context_.clear_tasks();
  }

  void start(std::function<void()> failed) {
    failed_ = std::move(failed);
    calls_.start();
    if (!context_.guard("making the Events", [this] { make_events(); })) return fail();
    run(start_task_, "on_worker_start", [this] { return events_->on_worker_start(worker_); }, &State::on_started);
  }

  void stop(std::function<void()> stopped) {
    if (stopping_) return;
    stopping_ = true;
    stopped_ = std::move(stopped);
    stop_began_ms_ = loop_.now_ms();
    calls_.close_events();
    poll_ = loop_.every(std::chrono::milliseconds(kStopPollMs), [this] { poll_stop(); });
  }

  [[nodiscard]] RoleStatus status() const {
    RoleStatus status;
    status.connections = calls_.connected();
    status.messages_in = dispatcher_ ? dispatcher_->events() : 0;
    status.messages_out = calls_.sent();
    status.send_failures = calls_.dropped();
    status.queued_bytes = calls_.queued_bytes();
    status.handler_errors = context_.errors() + (dispatcher_ ? dispatcher_->errors() : 0);
    return status;
  }

 private:
  void make_events() {
    if (!options_.events) throw std::invalid_argument("WorkerOptions::events is not set");
    events_ = options_.events();
    if (!events_) throw std::invalid_argument("WorkerOptions::events gave no object");
    dispatcher_.emplace(loop_, calls_, cluster_, scheduler_, *events_);
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
    calls_.open_events(*dispatcher_);
  }

  void fail() {
    const std::function<void()> failed = std::exchange(failed_, nullptr);
    if (failed && !stopping_) failed();  // may destroy this object
  }

  void poll_stop() {
    const std::uint64_t waited_ms = loop_.now_ms() - stop_began_ms_;
    const bool events_ended = calls_.event_connections() == 0 || waited_ms >= kEventsEndMs;
    const bool handlers_ended = start_task_.done() && (!dispatcher_ || dispatcher_->busy() == 0);
    if (!events_ended || (!handlers_ended && waited_ms < kHandlersEndMs)) return;
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
  std::function<void()> stopped_;
  net::TimerId poll_;
  std::uint64_t stop_began_ms_ = 0;
  bool started_ = false;
  bool stopping_ = false;
};

BusinessWorker::BusinessWorker(net::Loop& loop, WorkerOptions options, int index)
    : state_(std::make_unique<State>(loop, std::move(options), index)) {}

BusinessWorker::~BusinessWorker() = default;

void BusinessWorker::start(std::function<void()> failed) { state_->start(std::move(failed)); }

void BusinessWorker::stop(std::function<void()> stopped) { state_->stop(std::move(stopped)); }

RoleStatus BusinessWorker::status() const { return state_->status(); }

}  // namespace gatehouse
