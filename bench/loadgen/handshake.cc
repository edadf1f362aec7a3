#include "handshake.h"

#include <strings.h>

#include <algorithm>
#include <cstring>

#include "../handshake_key.h"
#include "random.h"

namespace loadgen {
namespace {

constexpr std::size_t kLongestReply = 16384;
constexpr std::size_t kLongestStatusLineShown = 80;

/// The 16 random bytes of Sec-WebSocket-Key.
std::string key_of(std::uint64_t seed) {
  const std::uint64_t halves[2] = {mix(seed), mix(seed + 1)};
  std::uint8_t bytes[16];
  std::memcpy(bytes, halves, sizeof bytes);
  return base64(bytes, sizeof bytes);
}

std::string accept_of(std::uint64_t seed) {
  const std::string text = key_of(seed) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::uint8_t digest[20];
  sha1(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), digest);
  return base64(digest, sizeof digest);
}

/// The value of a header line, when it is this header's. `name` is in lower case and ends with the colon.
bool is_header(std::string_view line, std::string_view name, std::string_view& value) {
  if (line.size() < name.size() || strncasecmp(line.data(), name.data(), name.size()) != 0) return false;
  value = line.substr(name.size());
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  value = value.substr(0, value.find_last_not_of(' ') + 1);
  return true;
}

/// Empty when the header, which ends with an empty line, is what it must be.
std::string problem_of(std::string_view header, std::uint64_t seed) {
  const std::string_view status_line = header.substr(0, header.find("\r\n"));
  bool is_accepted = false;
  bool has_extension = false;
  const std::string accept = accept_of(seed);
  for (std::size_t at = status_line.size() + 2; at < header.size();) {
    const std::size_t end = header.find("\r\n", at);
    const std::string_view line = header.substr(at, end - at);
    std::string_view value;
    if (is_header(line, "sec-websocket-accept:", value)) is_accepted = value == accept;
    if (is_header(line, "sec-websocket-extensions:", value)) has_extension = true;
    at = end + 2;
  }
  if (!header.starts_with("HTTP/1.1 101"))
    return "handshake refused: " + std::string(status_line.substr(0, kLongestStatusLineShown));
  if (has_extension) return "extension not offered";
  if (!is_accepted) return "wrong Sec-WebSocket-Accept";
  return {};
}

}  // namespace

std::string handshake_request(const Url& url, std::uint64_t seed) {
  return "GET " + url.path + " HTTP/1.1\r\nHost: " + url.host +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key_of(seed) +
         "\r\nSec-WebSocket-Version: 13\r\n\r\n";
}

HandshakeReply read_handshake_reply(std::string_view input, std::uint64_t seed) {
  const std::size_t end = input.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (input.size() <= kLongestReply) return {.state = HandshakeReply::State::partial};
    return {.state = HandshakeReply::State::refused, .problem = "handshake reply too long"};
  }
  std::string problem = problem_of(input.substr(0, end + 2), seed);
  if (!problem.empty()) return {.state = HandshakeReply::State::refused, .problem = std::move(problem)};
  return {.state = HandshakeReply::State::accepted, .size = end + 4};
}

}  // namespace loadgen
