#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace gatehouse {

/// Owned bytes in one pointer: for what most holders do not have (sessions) or have many of (names), where a std::string's
/// 32 bytes would be most of the cost. At most 4 GiB.
class Blob {
 public:
  Blob() = default;
  explicit Blob(std::string_view bytes) {
    if (bytes.empty()) return;
    const auto size = static_cast<std::uint32_t>(bytes.size());
    data_ = static_cast<char*>(::operator new(sizeof size + size));
    std::memcpy(data_, &size, sizeof size);
    std::memcpy(data_ + sizeof size, bytes.data(), size);
  }
  Blob(Blob&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  Blob& operator=(Blob&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  Blob(const Blob&) = delete;
  Blob& operator=(const Blob&) = delete;
  ~Blob() { ::operator delete(data_); }

  [[nodiscard]] std::string_view view() const {
    if (data_ == nullptr) return {};
    std::uint32_t size = 0;
    std::memcpy(&size, data_, sizeof size);
    return {data_ + sizeof size, size};
  }
  [[nodiscard]] bool empty() const { return data_ == nullptr; }

 private:
  char* data_ = nullptr;
};

}  // namespace gatehouse
