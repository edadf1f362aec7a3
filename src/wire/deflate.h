#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

struct z_stream_s;

namespace gatehouse::wire {

/// Where Deflaters or Inflaters write. Any number of them may share one: what the last of them gave out is in it.
class DeflateBuffer {
 public:
  [[nodiscard]] char* bytes() const { return bytes_.get(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  /// Room for `capacity` bytes, of which the first `kept` are those that were there.
  void grow(std::size_t capacity, std::size_t kept);
  /// Gives back what one big message took.
  void trim() {
    if (capacity_ > kKept) release();
  }
  void release() {
    bytes_.reset();
    capacity_ = 0;
  }

  static constexpr std::size_t kKept = 64 * 1024;  // bytes that trim() leaves
  static constexpr std::size_t kFirst = 4 * 1024;  // and that it begins with

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
};

/// permessage-deflate's compression (RFC 7692, 7.2) of one direction. Whoever sends without context takeover needs one of these
/// for all its peers; with it, one for each.
class Deflater {
 public:
  /// `level` 1 (quick) to 9 (small), `window_bits` 9 to 15: zlib writes no raw window of 8 bits.
  Deflater(int level, int window_bits) : Deflater(level, window_bits, nullptr) {}
  /// Writes to `shared`, which must outlive it, instead of a buffer of its own.
  Deflater(int level, int window_bits, DeflateBuffer& shared) : Deflater(level, window_bits, &shared) {}
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater();

  /// The payload of a compressed message, valid until its buffer is used again; empty when it would not be smaller than the
  /// message itself, or when zlib has no memory. `keeps_context`: later messages may refer to this one. An empty result forgets
  /// the context.
  std::string_view deflate(std::string_view message, bool keeps_context);
  /// What comes next refers to nothing before it, which its reader always accepts.
  void forget_context();

  /// Heap bytes that such an object takes beside its buffer, roughly (zconf.h).
  static std::size_t memory(int window_bits);

 private:
  Deflater(int level, int window_bits, DeflateBuffer* shared);

  std::unique_ptr<z_stream_s> stream_;
  DeflateBuffer own_;
  DeflateBuffer& out_;
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
    std::string_view message;  // valid until its buffer is used again
  };

  /// `window_bits` 8 to 15: what its writer may use at the most.
  explicit Inflater(int window_bits) : Inflater(window_bits, nullptr) {}
  /// Writes to `shared`, which must outlive it, instead of a buffer of its own.
  Inflater(int window_bits, DeflateBuffer& shared) : Inflater(window_bits, &shared) {}
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater();

  /// Of a whole message's compressed payload. After anything but complete nothing more may be inflated that refers to what was
  /// before.
  Result inflate(std::string_view compressed, std::size_t limit, bool keeps_context);

  /// Heap bytes that such an object takes beside its buffer, roughly.
  static std::size_t memory(int window_bits);

 private:
  enum class Step : std::uint8_t { done, ended, malformed, too_big };
  Inflater(int window_bits, DeflateBuffer* shared);
  Step feed(std::string_view bytes, std::size_t limit, int& ends);
  bool grow(std::size_t limit);
  bool start_again();

  std::unique_ptr<z_stream_s> stream_;
  DeflateBuffer own_;
  DeflateBuffer& out_;
  std::size_t size_ = 0;
  int window_bits_;
  bool ready_ = false;
};

}  // namespace gatehouse::wire
