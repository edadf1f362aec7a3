#pragma once

#include <cstddef>
#include <functional>
#include <utility>

namespace gatehouse {

/// Gives memory back to the kernel that a burst took and has freed. The C library does that for what is free at the end of the
/// heap only, and there is nearly always something in use behind the rest; so a process that once held much would keep it for
/// ever. What keep_freed_memory() keeps for big messages is less than kMost, and stays.
///
/// What a look costs grows with the number of free pieces of the heap; giving back, with the pages.
class FreedMemory {
 public:
  /// What stands behind it: the heap of this process, or a test's.
  struct Heap {
    std::function<std::size_t()> free_bytes;
    std::function<void()> give_back;
  };
  /// Of the C library; nothing where that is another than glibc.
  static Heap heap_of_process();

  explicit FreedMemory(Heap heap) : heap_(std::move(heap)) {}

  /// Called about once a second. Gives back when more than kMost has become free since it was last done, and, as long as the
  /// burst may still be on its way out, a second later.
  void look();

  static constexpr std::size_t kMost = 16 * 1024 * 1024;  // bytes

 private:
  Heap heap_;
  std::size_t given_back_ = 0;  // of the free bytes, those that have no pages behind them: at most so many
  std::size_t last_ = 0;
  bool has_waited_ = false;
};

}  // namespace gatehouse
