#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace gatehouse::wire {

/// The commands of the inner port, with upstream's numbers. (docs/wire-protocol.md draws the frames.)
enum class Command : std::uint8_t {
  // gateway to worker
  on_connect = 1,
  on_message = 3,
  on_close = 4,
  on_websocket_connect = 205,
  // both
  ping = 201,
  // worker or GatewayClient to gateway
  worker_connect = 200,
  gateway_client_connect = 202,
  send_to_one = 5,
  send_to_all = 6,
  kick = 7,
  destroy = 8,
  update_session = 9,
  set_session = 204,
  bind_uid = 12,
  unbind_uid = 13,
  send_to_uid = 14,
  join_group = 20,
  leave_group = 21,
  send_to_group = 22,
  ungroup = 27,
  // questions, each answered
  get_all_client_sessions = 10,
  is_online = 11,
  get_client_id_by_uid = 15,
  batch_get_client_id_by_uid = 16,
  get_client_sessions_by_group = 23,
  get_client_count_by_group = 24,
  select = 25,
  get_group_id_list = 26,
  batch_get_client_count_by_group = 28,
  get_session_by_client_id = 203,
  // Our extension, which PHP peers never see. hello is sent only to a worker that announced it in worker_connect (body: JSON),
  // the others only to a gateway that has said that it knows it.
  hello = 240,
  kick_uid = 241,
  set_ping_interval = 244,  // connection_id; ext_data: milliseconds, 0 for none, empty for the gateway's own
  merge_session = 245,      // connection_id; ext_data: serialized list of what to remove and of what to update
  // Between a gateway and a worker that acknowledges its events (ConnectBody::delivery, Hello::link).
  finished = 246,  // worker to gateway, on the command connection: these events are done with
  begun = 247,     // the same: a redelivered event is about to be handled
  leaving = 248,   // worker to gateway, on the event connection: send nothing more; it is closed when all is finished
  // A worker's answer to an on_websocket_connect that awaits one (wire/handshake_verdict.h).
  handshake_answer = 250,
};

/// Bits of the flag byte. Those of the extension appear only between roles that announced it to each other.
namespace flag {
// The body is bytes; otherwise a PHP-serialized value. Extension: on_websocket_connect with the client's request, to workers
// from kTakesRequests on.
inline constexpr std::uint8_t kScalar = 0x01;
inline constexpr std::uint8_t kRaw = 0x02;           // send without the client protocol's framing
inline constexpr std::uint8_t kKeyed = 0x04;         // extension: the body of a send ends with a key; see split_key()
inline constexpr std::uint8_t kAwaitsAnswer = 0x08;  // extension: on_websocket_connect wants a handshake_answer
inline constexpr std::uint8_t kBinary = 0x10;        // extension: a binary message, on_message and all sends
inline constexpr std::uint8_t kAddress = 0x20;       // extension: ext_data begins with the client's 16-byte IPv6 address
inline constexpr std::uint8_t kCloseReason = 0x40;   // extension: the body of on_close is cause (1), code (2), reason text
inline constexpr std::uint8_t kRedelivered = 0x80;  // extension: another worker was given this event before and did not finish it
}  // namespace flag

/// The fixed part of a frame of the inner port. Addresses in host order.
struct GatewayHeader {
  static constexpr std::size_t kSize = 28;

  Command command{};
  std::uint8_t flags = flag::kScalar;
  std::uint32_t local_ip = 0;
  std::uint16_t local_port = 0;
  std::uint32_t client_ip = 0;
  std::uint16_t client_port = 0;
  std::uint32_t connection_id = 0;
  std::uint16_t gateway_port = 0;
};

/// A decoded frame; refers to the bytes it was decoded from.
struct GatewayFrame {
  GatewayHeader header;
  std::string_view ext_data;
  std::string_view body;
};

enum class GatewayFrameStatus {
  complete,
  need_more,
  too_short,         // pack_len is less than the header
  too_long,          // pack_len is over the limit
  ext_beyond_frame,  // ext_len reaches past the end of the frame
};

/// One sentence for the log.
const char* describe(GatewayFrameStatus status);

struct DecodedGatewayFrame {
  GatewayFrameStatus status = GatewayFrameStatus::need_more;
  std::size_t size = 0;  // of the frame: set when complete, and when need_more knows it already (0: not yet)
  GatewayFrame frame;
};

/// Decodes the frame at the start of `bytes`. `max_size` bounds pack_len; a frame over it is refused from its first four bytes
/// on. Here for being inlined: it is a step of every message, four times over.
inline DecodedGatewayFrame decode_gateway_frame(std::string_view bytes, std::size_t max_size) {
  DecodedGatewayFrame result;
  if (bytes.size() < 4) return result;
  const char* const p = bytes.data();
  const std::size_t size = load_be32(p);
  if (size < GatewayHeader::kSize) {
    result.status = GatewayFrameStatus::too_short;
    return result;
  }
  if (size > max_size) {
    result.status = GatewayFrameStatus::too_long;
    return result;
  }
  result.size = size;
  if (bytes.size() < GatewayHeader::kSize) return result;
  const std::size_t ext_size = load_be32(p + 24);
  if (ext_size > size - GatewayHeader::kSize) {
    result.status = GatewayFrameStatus::ext_beyond_frame;
    return result;
  }
  if (bytes.size() < size) return result;

  GatewayHeader& header = result.frame.header;
  header.command = static_cast<Command>(static_cast<unsigned char>(p[4]));
  header.local_ip = load_be32(p + 5);
  header.local_port = load_be16(p + 9);
  header.client_ip = load_be32(p + 11);
  header.client_port = load_be16(p + 15);
  header.connection_id = load_be32(p + 17);
  header.flags = static_cast<unsigned char>(p[21]);
  header.gateway_port = load_be16(p + 22);
  result.frame.ext_data = {p + GatewayHeader::kSize, ext_size};
  result.frame.body = {p + GatewayHeader::kSize + ext_size, size - GatewayHeader::kSize - ext_size};
  result.status = GatewayFrameStatus::complete;
  return result;
}

inline std::size_t gateway_frame_size(std::size_t ext_size, std::size_t body_size) {
  return GatewayHeader::kSize + ext_size + body_size;
}

/// Writes the 28 bytes of the header to `out`. REQUIRES: the frame is under 4 GiB.
inline void write_gateway_header(char* out, const GatewayHeader& header, std::size_t ext_size, std::size_t body_size) {
  store_be32(out, static_cast<std::uint32_t>(gateway_frame_size(ext_size, body_size)));
  out[4] = static_cast<char>(header.command);
  store_be32(out + 5, header.local_ip);
  store_be16(out + 9, header.local_port);
  store_be32(out + 11, header.client_ip);
  store_be16(out + 15, header.client_port);
  store_be32(out + 17, header.connection_id);
  out[21] = static_cast<char>(header.flags);
  store_be16(out + 22, header.gateway_port);
  store_be32(out + 24, static_cast<std::uint32_t>(ext_size));
}

/// A key at the end of a body: at most so many bytes, and behind them one that says how many.
inline constexpr std::size_t kMostKeyBytes = 255;
inline std::size_t key_suffix_size(std::string_view key) { return key.empty() ? 0 : key.size() + 1; }
/// Writes key_suffix_size(key) bytes. REQUIRES: no more than kMostKeyBytes.
void write_key_suffix(char* out, std::string_view key);
/// Takes it off the end of `body`; false when there is none.
bool split_key(std::string_view& body, std::string_view& key);

/// Appends a whole frame to `out`.
void append_gateway_frame(std::string& out, const GatewayHeader& header, std::string_view ext_data, std::string_view body);

/// Whether a worker acknowledges the events that it has finished, and what becomes of those that it has not when it is gone.
enum class Delivery : std::uint8_t {
  unacknowledged,  // it says nothing (PHP): what it had been sent is not known any more
  at_most_once,
  at_least_once,
};

/// The body of worker_connect. `announce_extension` adds our keys, which PHP gateways ignore.
std::string worker_connect_body(std::string_view worker_key, std::string_view secret_key, bool announce_extension,
                                Delivery delivery = Delivery::unacknowledged);
std::string gateway_client_connect_body(std::string_view secret_key);

/// The version of the extension from which on a worker takes on_websocket_connect with the client's request.
inline constexpr std::uint32_t kTakesRequests = 2;
/// A worker_connect or gateway_client_connect body, read.
struct ConnectBody {
  std::string worker_key;
  std::string secret_key;
  std::uint32_t extension = 0;  // the version of ours that the worker speaks; 0 for none
  Delivery delivery = Delivery::unacknowledged;
};
/// False when `body` is not a JSON object with strings where strings belong.
bool parse_connect_body(std::string_view body, ConnectBody& out);

/// The extension's hello: {"gatehouse":1,"version":"0.1.0"}, and for a worker that acknowledges
/// {...,"link":7,"timeout_ms":60000}.
struct Hello {
  std::uint32_t link = 0;  // names the event connection in the worker's finished and begun; 0: nothing is to be acknowledged
  std::uint32_t timeout_ms = 0;  // the worker is taken for hung when nothing was heard of it for so long; 0: never
};
std::string hello_body(std::string_view version, const Hello& hello = {});
/// False when it is no hello.
bool parse_hello_body(std::string_view body, Hello& out);

}  // namespace gatehouse::wire
