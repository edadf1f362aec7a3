#pragma once

namespace gatehouse {

/// Tells a process from the children that it forks, for a load from memory instead of a call of the kernel: a page that the
/// kernel empties in a child (MADV_WIPEONFORK).
///
/// Thread rule: any thread.
class ForkMark {
 public:
  ForkMark();
  ForkMark(const ForkMark&) = delete;
  ForkMark& operator=(const ForkMark&) = delete;
  ~ForkMark();

  /// Whether this is a child of the process that made it.
  [[nodiscard]] bool is_in_child() const { return *page_ == 0; }

 private:
  volatile unsigned char* page_;
};

}  // namespace gatehouse
