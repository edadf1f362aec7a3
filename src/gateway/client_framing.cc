#include "gateway/client_framing.h"

#include <cstring>

namespace gatehouse::gateway {
namespace {

constexpr std::size_t kScratchKept = 64 * 1024;

wire::Opcode opcode_of(bool binary) { return binary ? wire::Opcode::binary : wire::Opcode::text; }

}  // namespace

void ClientFraming::write(net::Connection& connection, std::string_view message, bool binary) {
  if (is_websocket()) {
    char* out = connection.grow(wire::frame_header_size(message.size()) + message.size());
    if (out == nullptr) return;
    out += wire::write_frame_header(out, opcode_of(binary), message.size());
    if (!message.empty()) std::memcpy(out, message.data(), message.size());
    return;
  }
  connection.send(encode_to_scratch(message));
}

net::SharedBytes ClientFraming::encode(std::string_view message, bool binary) {
  if (is_websocket()) {
    net::SharedBytes frame = net::SharedBytes::uninitialized(wire::frame_header_size(message.size()) + message.size());
    char* out = frame.fill().data();
    out += wire::write_frame_header(out, opcode_of(binary), message.size());
    if (!message.empty()) std::memcpy(out, message.data(), message.size());
    return frame;
  }
  return net::SharedBytes::copy_of(encode_to_scratch(message));
}

std::string_view ClientFraming::encode_to_scratch(std::string_view message) {
  // What one big message took is given back with the next message.
  if (scratch_.capacity() > kScratchKept) std::string().swap(scratch_);
  scratch_.clear();
  protocol_->encode(message, scratch_);
  return scratch_;
}

}  // namespace gatehouse::gateway
