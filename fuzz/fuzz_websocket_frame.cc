// Reads a byte stream twice, once whole and once cut where the data says, and wants the same events both times.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/utf8.h"
#include "wire/websocket_frame.h"

namespace {

using namespace gatehouse::wire;
using Kind = WebSocketEvent::Kind;

struct Seen {
  Kind kind;
  bool binary;
  std::uint16_t close_code;
  std::string reason;
  std::string payload;
  friend bool operator==(const Seen&, const Seen&) = default;
};

constexpr WebSocketLimits kLimits = {.message = 1000, .fragments = 8};

void check(bool right) {
  if (!right) std::abort();
}

/// All events of `bytes`, shown in pieces that `cuts` gives the sizes of, over and over; in one piece when there are none. Each
/// call sees a buffer of exactly its size.
std::vector<Seen> read(WebSocketReader::Role role, std::string_view bytes, std::string_view cuts) {
  WebSocketReader reader(role, kLimits);
  WebSocketState state;
  std::vector<Seen> events;
  std::vector<char> pending;
  std::size_t turn = 0;
  while (!bytes.empty()) {
    const std::size_t piece = cuts.empty() ? bytes.size() : 1U + static_cast<unsigned char>(cuts[turn++ % cuts.size()]);
    const std::string_view more = bytes.substr(0, piece);
    bytes.remove_prefix(more.size());
    std::vector<char> buffer(pending.size() + more.size());
    std::copy(pending.begin(), pending.end(), buffer.begin());
    std::copy(more.begin(), more.end(), buffer.begin() + static_cast<std::ptrdiff_t>(pending.size()));
    std::span<char> rest(buffer);
    for (;;) {
      const bool was_closed = state.closed;
      const WebSocketEvent event = reader.next(state, rest);
      check(event.consumed <= rest.size());
      rest = rest.subspan(event.consumed);
      if (event.kind == Kind::need_more) {
        check(was_closed ? rest.empty() : event.consumed == 0);
        break;
      }
      check(event.consumed > 0 && !was_closed);
      const std::string payload(event.payload.data(), event.payload.size());
      check(payload.size() <= kLimits.message);
      if (event.kind == Kind::message && !event.binary) check(is_utf8(payload));
      events.push_back({event.kind, event.binary, event.close_code, event.reason, payload});
    }
    pending.assign(rest.begin(), rest.end());
    check(reader.held_bytes() <= kLimits.message);
  }
  reader.forget(state);
  check(reader.held_bytes() == 0 && state.fragments == nullptr);
  return events;
}

}  // namespace

// The input: role, number of cuts, the cuts, the stream.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.size() < 2) return 0;
  const auto role = (input[0] & 1) != 0 ? WebSocketReader::Role::client : WebSocketReader::Role::server;
  const std::string_view cuts = input.substr(2, static_cast<unsigned char>(input[1]) % 16U);
  const std::string_view stream = input.substr(2 + cuts.size());
  check(read(role, stream, {}) == read(role, stream, cuts));
  return 0;
}
