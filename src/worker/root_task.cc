#include "worker/root_task.h"

#include <exception>
#include <utility>

namespace gatehouse {

/// A coroutine of one step. Its frame frees itself after that step, or is destroyed by reset() before it.
struct RootTask::Completion {
  struct promise_type {
    Completion get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }  // callbacks do not throw
  };
  std::coroutine_handle<promise_type> handle;
};

RootTask::Completion RootTask::wait(RootTask& root) {
  root.finished();
  co_return;
}

bool RootTask::start_coroutine(Task<> task, Scheduler& scheduler) {
  reset();
  task_ = std::move(task);
  if (task_.valid()) task_.start(scheduler);
  return done();
}

void RootTask::when_done(std::function<void()> callback) {
  callback_ = std::move(callback);
  completion_ = wait(*this).handle;
  task_.continue_with(completion_);
}

void RootTask::finished() {
  completion_ = {};  // is running now, and frees itself
  const std::function<void()> callback = std::exchange(callback_, nullptr);
  callback();  // may destroy this object
}

void RootTask::destroy() {
  // The task first: its locals' destructors may run for long, and nothing resumes the completion then.
  const Task<> ending = std::exchange(task_, {});
  if (completion_) std::exchange(completion_, {}).destroy();
  callback_ = nullptr;
}

}  // namespace gatehouse
