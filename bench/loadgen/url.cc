#include "url.h"

#include <arpa/inet.h>

#include <cstdlib>

#include "usage_error.h"

namespace loadgen {
namespace {

constexpr unsigned kLoopbackNetwork = 127;

void set_address(Url& url, std::string host, const char* port_text) {
  char* end = nullptr;
  const long port = std::strtol(port_text, &end, 10);
  if (*end != '\0' || port < 1 || port > 65535) throw UsageError("bad port in the url");
  if (host == "localhost") host = "127.0.0.1";
  url.address.sin_family = AF_INET;
  url.address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (inet_pton(AF_INET, host.c_str(), &url.address.sin_addr) != 1) throw UsageError("url needs a literal IPv4 address");
  if (ntohl(url.address.sin_addr.s_addr) >> 24 != kLoopbackNetwork) throw UsageError("refused: only 127.0.0.0/8 may be targeted");
}

}  // namespace

Url parse_url(const std::string& text) {
  Url url;
  std::string rest;
  if (text.starts_with("ws://")) {
    rest = text.substr(5);
  } else if (text.starts_with("text://")) {
    url.is_websocket = false;
    rest = text.substr(7);
  } else {
    throw UsageError("url must start with ws:// or text://: " + text);
  }
  const std::size_t slash = rest.find('/');
  if (slash != std::string::npos) {
    url.path = rest.substr(slash);
    rest.resize(slash);
  }
  for (const unsigned char character : url.path)
    if (character <= ' ' || character == 127) throw UsageError("bad character in the path");
  const std::size_t colon = rest.find(':');
  if (colon == std::string::npos) throw UsageError("url needs a port");
  url.host = rest;
  set_address(url, rest.substr(0, colon), rest.c_str() + colon + 1);
  return url;
}

}  // namespace loadgen
