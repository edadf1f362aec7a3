#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace gatehouse::net {

/// Immutable counted bytes: a message to many clients is encoded once and every out-queue holds a reference to it.
/// The count is not atomic: a SharedBytes stays within the thread of its loop.
class SharedBytes {
 public:
  SharedBytes() = default;
  SharedBytes(const SharedBytes& other) : block_(other.block_) {
    if (block_ != nullptr) ++block_->references;
  }
  SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedBytes& operator=(SharedBytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedBytes() { release(); }

  /// Room for `size` bytes, to be filled through `fill` before the first copy is made.
  static SharedBytes uninitialized(std::size_t size);
  static SharedBytes copy_of(std::string_view bytes);

  [[nodiscard]] std::string_view view() const {
    return block_ == nullptr ? std::string_view() : std::string_view(data(), block_->size);
  }
  [[nodiscard]] std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  [[nodiscard]] bool empty() const { return size() == 0; }

  /// REQUIRES: this is the only reference.
  [[nodiscard]] std::span<char> fill() { return {block_ == nullptr ? nullptr : data(), size()}; }

 private:
  struct Block {
    std::size_t references;
    std::size_t size;
  };
  explicit SharedBytes(Block* block) : block_(block) {}
  [[nodiscard]] char* data() const { return reinterpret_cast<char*>(block_ + 1); }  // NOLINT: bytes follow their header
  void release();

  Block* block_ = nullptr;
};

}  // namespace gatehouse::net
