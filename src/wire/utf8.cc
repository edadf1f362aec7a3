#include "wire/utf8.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace gatehouse::wire {
namespace {

// The automaton of RFC 3629, section 4. A state's number is the place of its six bits in a row of the table, so that a step is
// one load and one shift. The names say which bytes are still due.
constexpr std::uint32_t kOneTail = 6;
constexpr std::uint32_t kTwoTails = 18;
constexpr std::uint32_t kThreeTails = 24;
constexpr std::uint32_t kTwoAfterE0 = 30;    // A0..BF first: below it would be overlong
constexpr std::uint32_t kTwoAfterEd = 36;    // 80..9F first: above it are the surrogates
constexpr std::uint32_t kThreeAfterF0 = 42;  // 90..BF first: below it would be overlong
constexpr std::uint32_t kThreeAfterF4 = 48;  // 80..8F first: above it is more than U+10FFFF
constexpr std::array kStates = {kUtf8Accept, kOneTail,    kUtf8Reject,   kTwoTails,    kThreeTails,
                                kTwoAfterE0, kTwoAfterEd, kThreeAfterF0, kThreeAfterF4};
constexpr std::uint64_t kStateMask = 63;

constexpr std::uint32_t first_byte_of_character(unsigned byte) {
  if (byte < 0x80) return kUtf8Accept;
  if (byte < 0xC2) return kUtf8Reject;  // a tail, or a lead of nothing but overlong forms
  if (byte < 0xE0) return kOneTail;
  if (byte == 0xE0) return kTwoAfterE0;
  if (byte == 0xED) return kTwoAfterEd;
  if (byte < 0xF0) return kTwoTails;
  if (byte == 0xF0) return kThreeAfterF0;
  if (byte < 0xF4) return kThreeTails;
  if (byte == 0xF4) return kThreeAfterF4;
  return kUtf8Reject;
}

constexpr std::uint32_t next_state(std::uint32_t state, unsigned byte) {
  const auto expect = [byte](unsigned low, unsigned high, std::uint32_t then) {
    return byte >= low && byte <= high ? then : kUtf8Reject;
  };
  switch (state) {
    case kUtf8Accept: return first_byte_of_character(byte);
    case kOneTail: return expect(0x80, 0xBF, kUtf8Accept);
    case kTwoTails: return expect(0x80, 0xBF, kOneTail);
    case kThreeTails: return expect(0x80, 0xBF, kTwoTails);
    case kTwoAfterE0: return expect(0xA0, 0xBF, kOneTail);
    case kTwoAfterEd: return expect(0x80, 0x9F, kOneTail);
    case kThreeAfterF0: return expect(0x90, 0xBF, kTwoTails);
    case kThreeAfterF4: return expect(0x80, 0x8F, kTwoTails);
    default: return kUtf8Reject;
  }
}

constexpr std::array<std::uint64_t, 256> make_rows() {
  std::array<std::uint64_t, 256> rows{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (const std::uint32_t state : kStates) rows[byte] |= std::uint64_t{next_state(state, byte)} << state;
  }
  return rows;
}
constexpr std::array<std::uint64_t, 256> kRows = make_rows();

std::uint64_t load_word(const char* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

const char* skip_ascii(const char* begin, const char* end) {
  const char* p = begin;
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  while (end - p >= 32 && ((load_word(p) | load_word(p + 8) | load_word(p + 16) | load_word(p + 24)) & kHighBits) == 0) p += 32;
  while (end - p >= 8 && (load_word(p) & kHighBits) == 0) p += 8;
  // What is left is less than a word; the last word of the text overlaps what was skipped.
  if (end - begin >= 8 && end - p < 8 && (load_word(end - 8) & kHighBits) == 0) return end;
  while (p != end && (static_cast<unsigned char>(*p) & 0x80) == 0) ++p;
  return p;
}

}  // namespace

std::uint32_t check_utf8(std::uint32_t state, std::string_view bytes) {
  // Long enough that text without ASCII does not look for it all the time, short enough to be back soon at the fast path.
  constexpr std::ptrdiff_t kStride = 16;
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  std::uint64_t current = state;
  while (current != kUtf8Reject) {
    if (current == kUtf8Accept) p = skip_ascii(p, end);
    if (p == end) break;
    const char* const stop = p + std::min(end - p, kStride);
    do {
      current = kRows[static_cast<unsigned char>(*p++)] >> (current & kStateMask);
    } while (p != stop);
    current &= kStateMask;
  }
  return static_cast<std::uint32_t>(current);
}

}  // namespace gatehouse::wire
