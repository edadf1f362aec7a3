#include "worker/client_context.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "base/bytes.h"
#include "link/arguments.h"
#include "wire/http_head.h"
#include "wire/php_serialize.h"
#include "wire/websocket_handshake.h"

namespace gatehouse {
namespace {

/// Null for no session, and for bytes that are none.
Value read_session(std::string_view bytes) {
  wire::PhpValue value;
  if (bytes.empty() || wire::unserialize(bytes, value) != wire::PhpStatus::ok || value.array() == nullptr) return {};
  return wire::to_json(value, true);
}

void put_hex(char* out, std::uint32_t number, int digits) {
  for (int i = digits - 1; i >= 0; --i, number >>= 4) out[i] = "0123456789abcdef"[number & 15];
}

}  // namespace

void ClientContext::assign(const wire::GatewayFrame& frame, bool native, const link::EventTicket& ticket) {
  header_ = frame.header;
  ticket_ = ticket;
  native_ = native;
  client_id_ = {header_.local_ip, header_.local_port, header_.connection_id};
  size_ = frame.ext_data.size() + frame.body.size();
  if (size_ > capacity_) {
    capacity_ = std::max(size_, kFirstCapacity);
    bytes_.reset(new char[capacity_]);  // NOLINT: std::make_unique would fill it
  }
  frame.ext_data.copy(bytes_.get(), frame.ext_data.size());
  frame.body.copy(bytes_.get() + frame.ext_data.size(), frame.body.size());
  session_ = {bytes_.get(), frame.ext_data.size()};
  body_ = {bytes_.get() + frame.ext_data.size(), frame.body.size()};
  if (native && (header_.flags & wire::flag::kAddress) != 0 && session_.size() >= kIpv6Size) {
    address_ = session_.substr(0, kIpv6Size);
    session_.remove_prefix(kIpv6Size);
  }
}

void ClientContext::clear() {
  handler.reset();
  size_ = 0;
  if (capacity_ > kKeptCapacity) {
    bytes_.reset();
    capacity_ = 0;
  }
  address_ = session_ = body_ = {};
  fetched_session_.reset();
  value_.reset();
  if (!verdict_.accepted() || !verdict_.subprotocol.empty()) verdict_ = {};
  handshake_.reset();
  has_id_ = false;
  question = 0;
}

Message ClientContext::message() const {
  return Message(body_, native_ && (header_.flags & wire::flag::kBinary) != 0, is_redelivered());
}

CloseReason ClientContext::close_reason() const {
  constexpr std::size_t kFixedSize = 3;  // cause and code
  if (!native_ || (header_.flags & wire::flag::kCloseReason) == 0 || body_.size() < kFixedSize) return {};
  CloseReason reason;
  const auto cause = static_cast<unsigned char>(body_[0]);
  if (cause <= static_cast<unsigned char>(CloseReason::Cause::denied)) reason.cause = static_cast<CloseReason::Cause>(cause);
  reason.code = load_be16(body_.data() + 1);
  reason.text = body_.substr(kFixedSize);
  return reason;
}

bool ClientContext::has_handshake() const {
  return is_request() ? body_.ends_with("\r\n\r\n") : wire::is_serialized_array(body_);
}

wire::PhpArray ClientContext::handshake_values() const {
  wire::PhpValue value;
  if (is_request()) {
    wire::HttpHead head;
    const wire::HttpResult result = wire::parse_http_head(body_, 0, head, wire::kMostHead);
    if (result.status != wire::HttpStatus::complete || result.size != body_.size()) {
      throw std::runtime_error(std::string("the gateway has passed on a handshake that cannot be read: ") + result.reason);
    }
    value = wire::handshake_values(head, remote().ip(), header_.client_port, header_.gateway_port);
  } else {
    (void)wire::unserialize(body_, value);  // has_handshake() has read it
  }
  return value.array() == nullptr ? wire::PhpArray() : std::move(*value.array());
}

std::optional<std::string> ClientContext::changed_session() const {
  if (!value_) return std::nullopt;
  std::string now = link::check_session(*value_, "session");
  const std::string_view before = session_bytes();
  if (now == before) return std::nullopt;
  // Other bytes may be the same session in another spelling: a float as PHP was configured to write it, say. Rare, so it is
  // read once more instead of kept.
  const Value original = read_session(before);
  if (now == link::check_session(original, "session")) return std::nullopt;
  return now;
}

const std::string& ClientContext::id() {
  if (!std::exchange(has_id_, true)) {
    id_.resize(20);
    put_hex(id_.data(), client_id_.local_ip, 8);
    put_hex(id_.data() + 8, client_id_.local_port, 4);
    put_hex(id_.data() + 12, client_id_.connection_id, 8);
  }
  return id_;
}

Value& ClientContext::session() {
  if (!value_) value_ = read_session(session_bytes());
  return *value_;
}

net::Address ClientContext::remote() const {
  if (!address_.empty()) return net::Address::from_bytes(address_.data(), header_.client_port);
  return net::Address::from_ipv4(header_.client_ip, header_.client_port);
}

}  // namespace gatehouse
