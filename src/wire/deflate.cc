#include "wire/deflate.h"

#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <limits>

namespace gatehouse::wire {
namespace {

/// What a flush ends with; it is left out of a message's payload (RFC 7692, 7.2.1).
constexpr std::string_view kTail("\x00\x00\xff\xff", 4);
/// Compressed streams may end and begin again within a message (RFC 7692, 7.2.3.4). No writer does it often, and each time costs
/// a copy of the window.
constexpr int kMostEnds = 16;

const Bytef* input_of(std::string_view bytes) { return reinterpret_cast<const Bytef*>(bytes.data()); }  // NOLINT: zlib's bytes

/// zlib counts in 32 bits; messages are shorter (WebSocketReader).
uInt size_of(std::size_t size) { return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max())); }

int memory_level(int window_bits) { return std::clamp(window_bits - 7, 1, 8); }

}  // namespace

void DeflateBuffer::grow(std::size_t capacity, std::size_t kept) {
  if (capacity <= capacity_) return;
  auto grown = std::make_unique_for_overwrite<char[]>(capacity);
  if (kept > 0) std::memcpy(grown.get(), bytes_.get(), kept);
  bytes_ = std::move(grown);
  capacity_ = capacity;
}

Deflater::Deflater(int level, int window_bits, DeflateBuffer* shared)
    : stream_(std::make_unique<z_stream_s>()), out_(shared != nullptr ? *shared : own_) {
  ready_ = deflateInit2(stream_.get(), level, Z_DEFLATED, -window_bits, memory_level(window_bits), Z_DEFAULT_STRATEGY) == Z_OK;
}

Deflater::~Deflater() {
  if (ready_) (void)deflateEnd(stream_.get());
}

std::size_t Deflater::memory(int window_bits) {
  return (std::size_t{1} << (window_bits + 2)) + (std::size_t{1} << (memory_level(window_bits) + 9)) + 8 * 1024;
}

std::string_view Deflater::deflate(std::string_view message, bool keeps_context) {
  if (!ready_ || message.empty()) return {};
  // Room for as much as is worth sending, and the tail that is left out.
  const std::size_t room = message.size() - 1 + kTail.size();
  out_.grow(std::max(room, DeflateBuffer::kFirst), 0);
  stream_->next_in = input_of(message);
  stream_->avail_in = size_of(message.size());
  stream_->next_out = reinterpret_cast<Bytef*>(out_.bytes());  // NOLINT: zlib's bytes
  stream_->avail_out = size_of(room);
  const int status = ::deflate(stream_.get(), Z_SYNC_FLUSH);
  // A full buffer may mean that there is more to come.
  const bool whole = status == Z_OK && stream_->avail_in == 0 && stream_->avail_out > 0;
  const std::size_t size = room - stream_->avail_out;
  if (!whole || size <= kTail.size()) {
    forget_context();
    return {};
  }
  if (!keeps_context) forget_context();
  assert(std::string_view(out_.bytes(), size).ends_with(kTail));
  return {out_.bytes(), size - kTail.size()};
}

void Deflater::forget_context() {
  if (ready_) ready_ = deflateReset(stream_.get()) == Z_OK;
}

Inflater::Inflater(int window_bits, DeflateBuffer* shared)
    : stream_(std::make_unique<z_stream_s>()), out_(shared != nullptr ? *shared : own_), window_bits_(window_bits) {
  ready_ = inflateInit2(stream_.get(), -window_bits) == Z_OK;
}

Inflater::~Inflater() {
  if (ready_) (void)inflateEnd(stream_.get());
}

std::size_t Inflater::memory(int window_bits) { return (std::size_t{1} << window_bits) + 8 * 1024; }

Inflater::Result Inflater::inflate(std::string_view compressed, std::size_t limit, bool keeps_context) {
  if (!ready_) return {};
  size_ = 0;
  if (out_.capacity() == 0)
    out_.grow(std::min(limit + 1, std::max(DeflateBuffer::kFirst, std::min(compressed.size() * 4, DeflateBuffer::kKept))), 0);
  int ends = 0;
  Step step = feed(compressed, limit, ends);
  // A stream that ended with its last byte has no unfinished block to be completed.
  if (step == Step::done) {
    const std::size_t come = size_;
    step = feed(kTail, limit, ends);
    // A whole message's last block is empty, and the tail completes its header (RFC 7692, 7.2.1): it is never content. When it
    // is, or is not the end of a block (zlib.h, data_type), the message was cut off.
    const bool is_content = size_ != come || step == Step::too_big;
    const bool is_inside = step == Step::done && (stream_->data_type & 128) == 0;
    if (is_content || is_inside) step = Step::malformed;
  }
  const bool good = step == Step::done || step == Step::ended;
  if (!keeps_context || !good) ready_ = inflateReset(stream_.get()) == Z_OK;
  if (step == Step::too_big) return {Status::too_big, {}};
  if (!good) return {Status::malformed, {}};
  return {Status::complete, {out_.bytes(), size_}};
}

/// Inflates all of `bytes`; ended: they end where a stream ends.
Inflater::Step Inflater::feed(std::string_view bytes, std::size_t limit, int& ends) {
  stream_->next_in = input_of(bytes);
  stream_->avail_in = size_of(bytes.size());
  for (;;) {
    if (size_ == out_.capacity() && !grow(limit)) return Step::too_big;
    const std::size_t room = out_.capacity() - size_;
    stream_->next_out = reinterpret_cast<Bytef*>(out_.bytes() + size_);  // NOLINT: zlib's bytes
    stream_->avail_out = size_of(room);
    const int status = ::inflate(stream_.get(), Z_SYNC_FLUSH);
    size_ += size_of(room) - stream_->avail_out;
    if (size_ > limit) return Step::too_big;
    if (status == Z_STREAM_END) {
      if (++ends > kMostEnds || !start_again()) return Step::malformed;
      if (stream_->avail_in == 0) return Step::ended;
      continue;
    }
    if (status != Z_OK && status != Z_BUF_ERROR) return Step::malformed;
    // With room left, zlib has used all that came.
    if (stream_->avail_out > 0) return Step::done;
  }
}

bool Inflater::grow(std::size_t limit) {
  if (out_.capacity() > limit) return false;
  out_.grow(std::min(out_.capacity() * 2, limit + 1), size_);
  return true;
}

/// A new stream that still may refer to what the old one gave out.
bool Inflater::start_again() {
  std::array<Bytef, 1U << MAX_WBITS> window;  // NOLINT(cppcoreguidelines-pro-type-member-init): zlib fills it
  uInt size = 0;
  if (inflateGetDictionary(stream_.get(), window.data(), &size) != Z_OK) return false;
  const auto* next_in = stream_->next_in;
  const uInt left = stream_->avail_in;
  if (inflateReset2(stream_.get(), -window_bits_) != Z_OK) return false;
  stream_->next_in = next_in;
  stream_->avail_in = left;
  return size == 0 || inflateSetDictionary(stream_.get(), window.data(), size) == Z_OK;
}

}  // namespace gatehouse::wire
