#include "wire/spoken_protocol.h"

#include "wire/http_head.h"

namespace gatehouse::wire {
namespace {

constexpr unsigned char kAlert = 21;
constexpr unsigned char kHandshake = 22;
constexpr unsigned char kMajorVersion = 3;
constexpr unsigned char kWorkerConnect = 200;
constexpr unsigned char kGatewayClientConnect = 202;

}  // namespace

SpokenProtocol recognize_protocol(std::string_view first) {
  if (first.size() < 5) return SpokenProtocol::unknown;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(first[i]); };
  if ((byte(0) == kHandshake || byte(0) == kAlert) && byte(1) == kMajorVersion) return SpokenProtocol::tls;
  if (begins_like_http(first) || first.starts_with("HTTP/")) return SpokenProtocol::http;
  if (first.starts_with("{\"eve")) return SpokenProtocol::register_;
  // Two zeros at the front of a length, and what comes first on such a connection.
  if (byte(0) == 0 && byte(1) == 0 && (byte(4) == kWorkerConnect || byte(4) == kGatewayClientConnect)) {
    return SpokenProtocol::inner_frame;
  }
  return SpokenProtocol::unknown;
}

std::string_view name_of(SpokenProtocol protocol) {
  switch (protocol) {
    case SpokenProtocol::tls: return "TLS";
    case SpokenProtocol::http: return "HTTP";
    case SpokenProtocol::register_: return "the register's protocol";
    case SpokenProtocol::inner_frame: return "the inner protocol of gateways";
    case SpokenProtocol::unknown: break;
  }
  return "";
}

}  // namespace gatehouse::wire
