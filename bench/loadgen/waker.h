#pragma once

namespace loadgen {

/// Wakes a worker that waits in epoll: an eventfd.
class Waker {
 public:
  Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  ~Waker();

  [[nodiscard]] int fd() const { return fd_; }
  /// From any thread.
  void wake() const;
  /// Once per event, or it stays readable.
  void clear() const;

 private:
  int fd_;
};

}  // namespace loadgen
