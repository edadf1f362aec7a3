#include "application/process_runner.h"

#include <unistd.h>

#include <csignal>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "application/live_settings.h"
#include "application/operator_answers.h"
#include "master/child_control.h"
#include "net/loop.h"

namespace gatehouse {
namespace {

/// The functions to be called when the process is to stop: given by one thread, called by another.
class StopCallbacks {
 public:
  void add(std::function<void()> callback) {
    {
      const std::lock_guard lock(mutex_);
      if (!stopping_) {
        callbacks_.push_back(std::move(callback));
        return;
      }
    }
    callback();
  }

  void call_all() {
    std::vector<std::function<void()>> callbacks;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      callbacks.swap(callbacks_);
    }
    for (const auto& callback : callbacks) callback();
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> callbacks_;
  bool stopping_ = false;
};

/// The second thread.
void serve_control(net::Loop& loop, const ProcessOptions& options, int control_fd, Settings settings, StopCallbacks& stop) {
  const auto call_all = [&] {
    try {
      stop.call_all();
    } catch (const std::exception& error) {
      loop.log().error("an exception left a function given to on_stop: {}", error.what());
    }
  };
  loop.on_signal(SIGTERM, call_all);
  loop.on_signal(kReopenLogSignal, [&] { reopen_log(settings, loop.log()); });
  master::ChildControl control(
      loop, control_fd, [&] { return RoleStatus{.listening = options.listen, .log_lines_lost = loop.log().lost().lines}; },
      [&] {
        loop.log().warning("the master is gone; stopping");
        loop.after(settings.stop_timeout(), [] { _exit(1); });
        call_all();
      });
  control.answer("configure", [&](const nlohmann::json& message) {
    return take_over(message, settings, loop.log(), [](const LiveSettings&) { return std::string(); });
  });
  answer_log_level(control, loop.log());
  control.announce_ready();
  loop.run();
}

}  // namespace

int run_process(const ProcessOptions& options, int control_fd, const Settings& settings, const Log& log) {
  // Before the second thread exists, so that none of the threads that the user starts gets them either.
  sigset_t handled;
  sigemptyset(&handled);
  sigaddset(&handled, SIGTERM);
  sigaddset(&handled, kReopenLogSignal);
  pthread_sigmask(SIG_BLOCK, &handled, nullptr);

  StopCallbacks stop;
  net::Loop loop(log);
  std::thread control([&] { serve_control(loop, options, control_fd, settings, stop); });
  int status = 1;
  std::string thrown;
  try {
    status = options.run([&stop](std::function<void()> callback) { stop.add(std::move(callback)); });
  } catch (const std::exception& error) {
    thrown = error.what();
  }
  loop.stop_from_any_thread();
  control.join();
  if (!thrown.empty()) log.error("an exception left the process's function: {}", thrown);
  return status;
}

}  // namespace gatehouse
