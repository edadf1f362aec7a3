// libwslay, another reader of RFC 6455, as the judge of ours.
//
// Differences that are meant:
// - wslay has no limit on fragments: ours is out of reach here.
// - wslay takes a close frame with half a code, which ours refuses (RFC 6455, 5.5.1).
// - wslay refuses a close frame with the codes 1012 to 1014, which IANA has registered since.
// - wslay looks at the UTF-8 of a text frame that another rule refuses as well, or the other way round, and so may give another
// code
//   for what is refused; that it is refused, and what was delivered before, must be the same.
// - wslay looks at the UTF-8 of a close frame's reason as it comes; ours waits for the whole frame, which has 125 bytes at most.
// - wslay waits for the whole frame header before it looks at it; ours refuses as soon as a byte is wrong. So where ours has
// refused
//   and the stream ends inside a header, wslay may still be waiting.
#include "differential/wslay_oracle.h"

#include <wslay/wslay.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

#include "wire/websocket_frame.h"

namespace gatehouse::differential {

WebSocketReading read_with_ours(std::string_view stream) {
  using namespace wire;
  WebSocketReader reader(WebSocketReader::Role::server, {.message = kMostMessageBytes, .fragments = 1 << 30});
  WebSocketState state;
  WebSocketReading reading;
  std::vector<char> bytes(stream.begin(), stream.end());
  std::span<char> rest(bytes);
  for (;;) {
    const WebSocketEvent event = reader.next(state, rest);
    rest = rest.subspan(event.consumed);
    std::string payload(event.payload.begin(), event.payload.end());
    using Kind = WebSocketEvent::Kind;
    switch (event.kind) {
      case Kind::need_more: reader.forget(state); return reading;
      case Kind::fragment: break;
      case Kind::message: reading.messages.push_back({static_cast<std::uint8_t>(event.binary ? 2 : 1), 0, payload}); break;
      case Kind::ping: reading.messages.push_back({9, 0, payload}); break;
      case Kind::pong: reading.messages.push_back({10, 0, payload}); break;
      case Kind::close: {
        const auto code = event.close_code == close_code::kNoStatus ? std::uint16_t{0} : event.close_code;
        reading.messages.push_back({8, code, payload});
        break;
      }
      case Kind::error: reading.refusal = event.close_code; return reading;
    }
  }
}

namespace {

struct Feed {
  std::string_view rest;
  WebSocketReading reading;
};

ssize_t give(wslay_event_context_ptr context, std::uint8_t* buffer, std::size_t size, int /*flags*/, void* user) {
  auto& feed = *static_cast<Feed*>(user);
  const std::size_t given = std::min(size, feed.rest.size());
  if (given == 0) {
    wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  std::memcpy(buffer, feed.rest.data(), given);
  feed.rest.remove_prefix(given);
  return static_cast<ssize_t>(given);
}

/// Takes what wslay wants to answer: the close frame says why it refused.
ssize_t take(wslay_event_context_ptr /*context*/, const std::uint8_t* /*data*/, std::size_t size, int /*flags*/, void* /*user*/) {
  return static_cast<ssize_t>(size);
}

void on_message(wslay_event_context_ptr /*context*/, const wslay_event_on_msg_recv_arg* message, void* user) {
  auto& feed = *static_cast<Feed*>(user);
  std::string payload;
  if (message->msg_length > 0) payload.assign(reinterpret_cast<const char*>(message->msg), message->msg_length);  // NOLINT: bytes
  // The code of a close frame stands in front of its reason.
  if (message->opcode == WSLAY_CONNECTION_CLOSE && payload.size() >= 2) payload.erase(0, 2);
  feed.reading.messages.push_back({message->opcode, message->status_code, payload});
}

}  // namespace

WebSocketReading read_with_wslay(std::string_view stream) {
  wslay_event_callbacks callbacks{};
  callbacks.recv_callback = give;
  callbacks.send_callback = take;
  callbacks.on_msg_recv_callback = on_message;
  Feed feed{stream, {}};
  wslay_event_context_ptr context = nullptr;
  if (wslay_event_context_server_init(&context, &callbacks, &feed) != 0) return {};
  wslay_event_config_set_max_recv_msg_length(context, kMostMessageBytes);
  (void)wslay_event_recv(context);
  const bool closed_by_peer = !feed.reading.messages.empty() && feed.reading.messages.back().opcode == WSLAY_CONNECTION_CLOSE;
  // When it has refused, a close frame of its own is queued and nothing more is read.
  if (wslay_event_get_close_sent(context) == 0 && wslay_event_want_read(context) == 0 && !closed_by_peer) {
    (void)wslay_event_send(context);
    feed.reading.refusal = wslay_event_get_status_code_sent(context);
  }
  wslay_event_context_free(context);
  return feed.reading;
}

namespace {

bool ends_with_half_a_code(const WebSocketReading& reading) {
  return !reading.messages.empty() && reading.messages.back().opcode == 8 && reading.messages.back().payload.size() == 1;
}

bool is_newer_close_code(std::uint16_t code) { return code >= 1012 && code <= 1014; }

std::string show(const WebSocketReading& reading) {
  std::string text;
  for (const auto& message : reading.messages) {
    text += std::to_string(message.opcode) + "(" + std::to_string(message.payload.size()) + " bytes, code " +
            std::to_string(message.close_code) + ") ";
  }
  return text + "refusal " + std::to_string(reading.refusal);
}

}  // namespace

std::string compare(std::string_view stream) {
  WebSocketReading ours = read_with_ours(stream);
  WebSocketReading theirs = read_with_wslay(stream);
  const std::string difference = "ours: " + show(ours) + "; wslay's: " + show(theirs);
  if (!ours.messages.empty() && is_newer_close_code(ours.messages.back().close_code) && theirs.refusal != 0) {
    ours.messages.pop_back();
    return ours.messages == theirs.messages ? "" : difference;
  }
  if (ours.refusal == wire::close_code::kProtocolError && ends_with_half_a_code(theirs)) {
    theirs.messages.pop_back();
    return ours.messages == theirs.messages ? "" : difference;
  }
  if (ours.messages != theirs.messages) return difference;
  if (ours.refusal == 0 && theirs.refusal == 0) return "";
  if (ours.refusal != 0 && theirs.refusal != 0) return "";
  // One sees it earlier; with what a client could send next, the other does too.
  if (ours.refusal != 0 && read_with_wslay(std::string(stream) + std::string(16, '\0')).refusal != 0) return "";
  if (theirs.refusal != 0 && read_with_ours(std::string(stream) + std::string(125, '\0')).refusal != 0) return "";
  return difference;
}

}  // namespace gatehouse::differential
