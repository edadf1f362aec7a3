// permessage-deflate: what a client offers, what it sends compressed, and what is compressed for it. A stranger's bytes inflate
// to no more than the limit; what we write is read back as it was, by our own inflater and by a zlib that knows nothing of ours.
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/script.h"
#include "wire/deflate.h"
#include "wire/deflate_offer.h"

namespace {

using namespace gatehouse::wire;
using gatehouse::fuzz::check;
using gatehouse::fuzz::Script;

constexpr std::size_t kLimit = 4096;

/// Of one message without context; what zlib's own example would do (RFC 7692, 7.2.2).
std::string inflate_plainly(std::string bytes, int window_bits) {
  z_stream stream{};
  check(inflateInit2(&stream, -window_bits) == Z_OK);
  bytes.append("\0\0\xff\xff", 4);
  std::string out(64 * 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(bytes.data());  // NOLINT: zlib's bytes
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());  // NOLINT
  stream.avail_out = static_cast<uInt>(out.size());
  check(inflate(&stream, Z_SYNC_FLUSH) == Z_OK);
  out.resize(out.size() - stream.avail_out);
  inflateEnd(&stream);
  return out;
}

void offers(Script& script) {
  const std::string value(script.all());
  HttpHead head;
  head.fields.emplace_back("Sec-WebSocket-Extensions", value);
  for (const bool takeover : {false, true}) {
    const DeflateAnswer answer = answer_deflate_offers(head, {.context_takeover = takeover, .window_bits = takeover ? 9 : 15});
    check((answer.kind == DeflateAnswer::Kind::agreed) == !answer.extensions.empty());
    check(answer.server_window_bits >= 9 && answer.server_window_bits <= 15);
    check(answer.client_window_bits >= 8 && answer.client_window_bits <= 15);
    check(takeover || !(answer.server_keeps_context || answer.client_keeps_context));
    // What was agreed on can be offered and is agreed on again; client_max_window_bits with a value too.
    if (answer.kind != DeflateAnswer::Kind::agreed) continue;
    HttpHead again;
    again.fields.emplace_back("Sec-WebSocket-Extensions", answer.extensions);
    check(answer_deflate_offers(again, {.context_takeover = takeover, .window_bits = takeover ? 9 : 15}).kind ==
          DeflateAnswer::Kind::agreed);
  }
}

/// Messages of a stranger, one after the other.
void strangers_bytes(Script& script) {
  const bool keeps_context = script.flip();
  DeflateBuffer buffer;
  Inflater inflater(8 + static_cast<int>(script.below(8)), buffer);
  while (!script.done()) {
    const std::string bytes(script.flip() ? script.text() : script.all());
    const Inflater::Result result = inflater.inflate(bytes, kLimit, keeps_context);
    check(result.message.size() <= kLimit && (result.status == Inflater::Status::complete || result.message.empty()));
    const std::string once(result.message);
    if (!keeps_context) {
      // The same bytes mean the same, whatever was before, and another limit only decides what is too big.
      const bool whole = result.status == Inflater::Status::complete;
      const Inflater::Result again = inflater.inflate(bytes, whole ? once.size() : kLimit, false);
      check(again.status == result.status && again.message == once);
      if (!once.empty()) check(inflater.inflate(bytes, once.size() - 1, false).status == Inflater::Status::too_big);
    }
    if (script.flip()) buffer.trim();
  }
}

void our_bytes(Script& script) {
  const bool keeps_context = script.flip();
  const int window_bits = 9 + static_cast<int>(script.below(7));
  DeflateBuffer buffer;
  Deflater deflater(1 + static_cast<int>(script.below(9)), window_bits, buffer);
  Inflater inflater(window_bits);
  while (!script.done()) {
    std::string message(script.text());
    const std::size_t times = 1 + script.byte() % 32U;
    const std::string once = message;
    for (std::size_t i = 1; i < times; ++i) message += once;
    const std::string compressed(deflater.deflate(message, keeps_context));
    check(compressed.size() < std::max<std::size_t>(message.size(), 1));
    if (compressed.empty()) continue;  // sent plain, and its context is forgotten
    const Inflater::Result result = inflater.inflate(compressed, message.size(), keeps_context);
    check(result.status == Inflater::Status::complete && result.message == message);
    if (!keeps_context) check(inflate_plainly(compressed, window_bits) == message);
    if (script.flip()) buffer.trim();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script script(data, size);
  switch (script.below(3)) {
    case 0: offers(script); break;
    case 1: strangers_bytes(script); break;
    default: our_bytes(script);
  }
  return 0;
}
