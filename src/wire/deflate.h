#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

struct z_stream_s;

namespace gatehouse::wire {

/// permessage-deflate's compression (RFC 7692, 7.2) of one direction. Whoever sends without context takeover needs one of these
/// for all its peers; with it, one for each.
class Deflater {
 public:
  /// `level` 1 (quick) to 9 (small), `window_bits` 9 to 15: zlib writes no raw window of 8 bits.
  Deflater(int level, int window_bits);
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater();

  /// The payload of a compressed message, valid until the next call; empty when it would not be smaller than the message itself,
  /// or when zlib has no memory. `keeps_context`: later messages may refer to this one. An empty result forgets the context.
  std::string_view deflate(std::string_view message, bool keeps_context);
  /// What comes next refers to nothing before it, which its reader always accepts.
  void forget_context();
  /// Gives back what one big message took.
  void trim();

  /// Heap bytes that such an object takes, roughly (zconf.h).
  static std::size_t memory(int window_bits);

 private:
  std::unique_ptr<z_stream_s> stream_;
  std::unique_ptr<char[]> out_;
  std::size_t capacity_ = 0;
  bool ready_ = false;
};

/// The other direction, whose bytes are a stranger's: never gives out, nor takes memory for, more than the limit.
class Inflater {
 public:
  enum class Status : std::uint8_t {
    complete,
    malformed,  // not what RFC 1951 describes, or not whole
    too_big,    // more than the limit; found when the limit was passed
  };
  struct Result {
    Status status = Status::malformed;
    std::string_view message;  // valid until the next call
  };

  /// `window_bits` 8 to 15: what its writer may use at the most.
  explicit Inflater(int window_bits);
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater();

  /// Of a whole message's compressed payload. After anything but complete nothing more may be inflated that refers to what was
  /// before.
  Result inflate(std::string_view compressed, std::size_t limit, bool keeps_context);
  /// Gives back what one big message took.
  void trim();

  static std::size_t memory(int window_bits);

 private:
  enum class Step : std::uint8_t { done, ended, malformed, too_big };
  Step feed(std::string_view bytes, std::size_t limit, int& ends);
  bool grow(std::size_t limit);
  bool start_again();

  std::unique_ptr<z_stream_s> stream_;
  std::unique_ptr<char[]> out_;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
  int window_bits_;
  bool ready_ = false;
};

}  // namespace gatehouse::wire
