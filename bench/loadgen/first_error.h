#pragma once

#include <mutex>
#include <string>

namespace loadgen {

/// The text of the first thing that went wrong, whichever thread saw it: what follows is mostly its consequence.
class FirstError {
 public:
  void note(const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (text_.empty()) text_ = text;
  }

  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

}  // namespace loadgen
