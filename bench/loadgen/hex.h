#pragma once

#include <cstddef>
#include <cstdint>

namespace loadgen {

/// How many digits put_hex() writes and get_hex() reads.
constexpr std::size_t kHexSize = 16;

inline void put_hex(char* digits, std::uint64_t number) {
  for (std::size_t i = kHexSize; i-- > 0; number >>= 4) digits[i] = "0123456789abcdef"[number & 15];
}

/// False when there is another character than a lower-case digit.
inline bool get_hex(const char* digits, std::uint64_t& number) {
  number = 0;
  for (std::size_t i = 0; i < kHexSize; i++) {
    const unsigned character = static_cast<unsigned char>(digits[i]);
    unsigned digit = character - '0';
    if (digit >= 10) {
      if (character - 'a' >= 6) return false;
      digit = character - 'a' + 10;
    }
    number = number << 4 | digit;
  }
  return true;
}

}  // namespace loadgen
