#pragma once

#include <gatehouse/task.h>

#include <coroutine>
#include <functional>
#include <utility>

namespace gatehouse {

/// Owns and runs a task that nobody awaits: a handler, or one given to Worker::spawn.
///
/// May be reset or destroyed at any time, also while the task is suspended (what it awaits is destroyed with it) and from within
/// the callback of when_done(); not from within the task itself.
class RootTask {
 public:
  RootTask() = default;
  RootTask(const RootTask&) = delete;
  RootTask& operator=(const RootTask&) = delete;
  ~RootTask() { reset(); }

  /// Runs `task` up to where it first waits; true when it has finished. A task without a coroutine counts as finished.
  bool start(Task<> task, Scheduler& scheduler) {
    if (!task.valid() && is_empty()) return true;
    return start_coroutine(std::move(task), scheduler);
  }
  [[nodiscard]] bool done() const { return !task_.valid() || task_.done(); }
  /// Calls back once when the task finishes. REQUIRES: !done().
  void when_done(std::function<void()> callback);
  /// Throws what the task threw. REQUIRES: done().
  void result() {
    if (task_.valid()) task_.result();
  }
  void reset() {
    if (!is_empty()) destroy();
  }

 private:
  struct Completion;
  static Completion wait(RootTask& root);
  [[nodiscard]] bool is_empty() const { return !task_.valid() && !completion_ && !callback_; }
  bool start_coroutine(Task<> task, Scheduler& scheduler);
  void destroy();
  void finished();

  Task<> task_;
  std::coroutine_handle<> completion_;  // what the task resumes at its end; only while it is suspended
  std::function<void()> callback_;
};

}  // namespace gatehouse
