#pragma once

#include <string>
#include <string_view>

namespace gatehouse::wire {

/// What the business says to a client's opening handshake: the body of the extension's HANDSHAKE_ANSWER, as JSON.
struct HandshakeVerdict {
  static constexpr int kAccepted = 101;

  int status = kAccepted;   // 101, or an HTTP error, 400 to 599
  std::string words;        // the text of a refusal
  std::string subprotocol;  // empty: what the gateway's configuration says

  [[nodiscard]] bool accepted() const { return status == kAccepted; }
};

std::string handshake_verdict_body(const HandshakeVerdict& verdict);
/// False when `body` is none, or its status neither 101 nor 400 to 599.
bool parse_handshake_verdict(std::string_view body, HandshakeVerdict& out);

}  // namespace gatehouse::wire
