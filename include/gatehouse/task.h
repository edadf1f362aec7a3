#pragma once

#include <cassert>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace gatehouse {

/// What a suspended Task<> needs of the loop it runs on. Implemented by the library; users never see one.
class Scheduler {
 public:
  Scheduler() = default;
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  virtual ~Scheduler() = default;

  struct Timer {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
  };
  virtual Timer after(std::chrono::milliseconds delay, std::function<void()> callback) = 0;
  virtual void cancel(Timer timer) = 0;
};

template <class T = void>
class Task;

namespace detail {

class TaskPromiseBase {
 public:
  // Lazy: a task runs when it is awaited (or given to Worker::spawn), never before.
  std::suspend_always initial_suspend() noexcept { return {}; }

  struct FinalAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) noexcept {
      // Symmetric transfer: a long chain of awaits does not grow the stack.
      TaskPromiseBase& promise = finished.promise();
      return promise.continuation_ ? promise.continuation_ : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }

  void unhandled_exception() noexcept { exception_ = std::current_exception(); }

  [[nodiscard]] Scheduler* scheduler() const { return scheduler_; }
  void set_scheduler(Scheduler* scheduler) { scheduler_ = scheduler; }
  void set_continuation(std::coroutine_handle<> continuation) { continuation_ = continuation; }

 protected:
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::coroutine_handle<> continuation_;
  std::exception_ptr exception_;
  Scheduler* scheduler_ = nullptr;
};

template <class T>
class TaskPromise : public TaskPromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() {
    rethrow();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class TaskPromise<void> : public TaskPromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void take() const { rethrow(); }
};

}  // namespace detail

/// A coroutine of business code: `gh::Task<> on_message(...)` uses co_await and co_return (or neither). It starts when it is
/// awaited, and its exceptions reach whoever awaits it. Move-only; destroying one that is suspended destroys what it awaits.
/// An empty Task<>, such as one that was moved from, is one that has nothing to do: a handler without co_await may `return {};`,
/// which costs no coroutine. An empty Task of a value must not be awaited.
///
/// Thread rule: a task runs on the one thread of its worker's loop, always.
template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  struct Awaiter {
    Handle handle;
    [[nodiscard]] bool await_ready() const noexcept { return std::is_void_v<T> && !handle; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
      handle.promise().set_scheduler(awaiting.promise().scheduler());
      handle.promise().set_continuation(awaiting);
      return handle;
    }
    T await_resume() {
      if constexpr (std::is_void_v<T>) {
        if (!handle) return;
      }
      assert(handle);
      return handle.promise().take();
    }
  };
  Awaiter operator co_await() const& noexcept { return Awaiter{handle_}; }
  Awaiter operator co_await() const&& noexcept { return Awaiter{handle_}; }

  // For the library, which runs root tasks itself.
  [[nodiscard]] bool valid() const { return static_cast<bool>(handle_); }
  [[nodiscard]] bool done() const { return handle_.done(); }
  void start(Scheduler& scheduler) {
    handle_.promise().set_scheduler(&scheduler);
    handle_.resume();
  }
  /// Resumes `when_done` at the end of a started task. REQUIRES: !done().
  void continue_with(std::coroutine_handle<> when_done) { handle_.promise().set_continuation(when_done); }
  /// REQUIRES: done(). Gives the value, or throws what the task threw.
  T result() { return handle_.promise().take(); }

 private:
  Handle handle_;
};

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

class SleepAwaiter {
 public:
  explicit SleepAwaiter(std::chrono::milliseconds delay) : delay_(delay) {}
  SleepAwaiter(const SleepAwaiter&) = delete;
  SleepAwaiter& operator=(const SleepAwaiter&) = delete;
  ~SleepAwaiter() {
    // Only still set when the sleeping task is destroyed before its time.
    if (scheduler_ != nullptr) scheduler_->cancel(timer_);
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> awaiting) {
    scheduler_ = awaiting.promise().scheduler();
    timer_ = scheduler_->after(delay_, [this, awaiting] {
      scheduler_ = nullptr;
      awaiting.resume();
    });
  }
  void await_resume() const noexcept {}

 private:
  std::chrono::milliseconds delay_;
  Scheduler* scheduler_ = nullptr;
  Scheduler::Timer timer_;
};

}  // namespace detail

/// `co_await gh::sleep(2s);` lets the worker serve others for that long. Resolution 1 ms; never returns early.
inline detail::SleepAwaiter sleep(std::chrono::milliseconds duration) { return detail::SleepAwaiter(duration); }

}  // namespace gatehouse
