#include "gateway/client_framing.h"

#include <cstring>

namespace gatehouse::gateway {
namespace {

constexpr std::size_t kScratchKept = 64 * 1024;

wire::Opcode opcode_of(bool binary) { return binary ? wire::Opcode::binary : wire::Opcode::text; }

/// A frame, written to where there is room for it.
void write_frame(char* out, std::string_view payload, bool binary, bool compressed) {
  out += wire::write_frame_header(out, opcode_of(binary), payload.size(), compressed);
  if (!payload.empty()) std::memcpy(out, payload.data(), payload.size());
}

net::SharedBytes shared_frame(std::string_view payload, bool binary, bool compressed) {
  net::SharedBytes frame = net::SharedBytes::uninitialized(wire::frame_header_size(payload.size()) + payload.size());
  write_frame(frame.fill().data(), payload, binary, compressed);
  return frame;
}

}  // namespace

void ClientFraming::write(net::Connection& connection, const ClientRecord& client, std::string_view message, bool binary) {
  if (!is_websocket()) {
    connection.send(encode_to_scratch(message));
    return;
  }
  std::string_view payload = message;
  bool compressed = false;
  if (client.deflate_bits != 0) {
    const std::string_view deflated = compression_->deflate_for(client, message);
    compressed = !deflated.empty();
    if (compressed) payload = deflated;
  }
  char* out = connection.grow(wire::frame_header_size(payload.size()) + payload.size());
  if (out != nullptr) write_frame(out, payload, binary, compressed);
}

net::SharedBytes ClientFraming::encode(std::string_view message, bool binary) {
  if (is_websocket()) return shared_frame(message, binary, false);
  return net::SharedBytes::copy_of(encode_to_scratch(message));
}

net::SharedBytes ClientFraming::encode_deflated(std::string_view message, bool binary, std::uint8_t bits) {
  const std::string_view deflated = compression_->deflate(message, bits);
  return deflated.empty() ? net::SharedBytes() : shared_frame(deflated, binary, true);
}

std::string_view ClientFraming::encode_to_scratch(std::string_view message) {
  // What one big message took is given back with the next message.
  if (scratch_.capacity() > kScratchKept) std::string().swap(scratch_);
  scratch_.clear();
  protocol_->encode(message, scratch_);
  return scratch_;
}

}  // namespace gatehouse::gateway
