#pragma once

#include <cstdint>

namespace loadgen {

/// splitmix64: neighbouring numbers become unlike ones.
inline std::uint64_t mix(std::uint64_t number) {
  number += 0x9E3779B97F4A7C15U;
  number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9U;
  number = (number ^ (number >> 27)) * 0x94D049BB133111EBU;
  return number ^ (number >> 31);
}

/// xorshift64, for masks and handshake keys: three shifts a number, as every frame takes one.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(mix(seed) | 1) {}  // zero would stay zero

  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

 private:
  std::uint64_t state_;
};

}  // namespace loadgen
