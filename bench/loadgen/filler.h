#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace loadgen {

/// The printable rest of every message. It begins at another place for every sequence number, so that the right length with the
/// bytes of another message is noticed.
class Filler {
 public:
  explicit Filler(std::size_t message_size) : text_(message_size + 64, '\0') {
    for (std::size_t i = 0; i < text_.size(); i++) text_[i] = static_cast<char>('!' + (i * 7 + i / 61) % 90);
  }

  void write(char* to, std::size_t size, std::uint64_t sequence) const { std::memcpy(to, text_.data() + sequence % 61, size); }

  [[nodiscard]] bool matches(std::string_view rest, std::uint64_t sequence) const {
    return std::memcmp(rest.data(), text_.data() + sequence % 61, rest.size()) == 0;
  }

 private:
  std::string text_;
};

}  // namespace loadgen
