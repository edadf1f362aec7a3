#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

#include <gatehouse/task.h>

namespace gatehouse {

namespace detail {
template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<Task<T>> = true;
}  // namespace detail

/// What is called back and gives nothing: made of any function that takes these arguments, as a std::function is.
///
/// A function that returns a Task does not compile. A std::function<void()> would take it, and nobody would run the Task; and a
/// coroutine that is a lambda lives on what the lambda has captured, which goes with the timer. Give Worker::spawn a Task of a
/// function of your own: `worker.every(1s, [this, &worker] { worker.spawn(tick()); })`.
template <class... Args>
class Callback {
 public:
  Callback() = default;
  Callback(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): as std::function
  template <class Function>
    requires(!std::same_as<std::remove_cvref_t<Function>, Callback> && std::invocable<std::decay_t<Function>&, Args...>)
  Callback(Function&& function)  // NOLINT(google-explicit-constructor): as std::function
      : function_(checked(std::forward<Function>(function))) {}

  explicit operator bool() const { return static_cast<bool>(function_); }
  // For the library.
  [[nodiscard]] const std::function<void(Args...)>& function() const { return function_; }
  [[nodiscard]] std::function<void(Args...)> take() && { return std::move(function_); }

 private:
  template <class Function>
  static Function&& checked(Function&& function) {
    static_assert(!detail::is_task<std::invoke_result_t<std::decay_t<Function>&, Args...>>,
                  "a callback must not return a gatehouse::Task, which nobody would run: return nothing, and give the Task to "
                  "Worker::spawn");
    return std::forward<Function>(function);
  }

  std::function<void(Args...)> function_;
};

}  // namespace gatehouse
