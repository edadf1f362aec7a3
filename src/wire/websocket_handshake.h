#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/http_head.h"
#include "wire/php_value.h"

namespace gatehouse::wire {

/// What the server says to a client's opening handshake (RFC 6455, 4.2).
struct HandshakeAnswer {
  bool accepted = false;
  /// Sec-WebSocket-Accept when accepted.
  std::string accept_key;
  /// The whole HTTP response when refused: 400, 405, 426 (with Sec-WebSocket-Version: 13), with "Connection: close".
  std::string refusal;
  /// One phrase for the log when refused.
  const char* reason = "";
};

/// Checks method, version, Host, Upgrade, Connection, Sec-WebSocket-Version and Sec-WebSocket-Key (16 bytes in base64, once).
HandshakeAnswer check_websocket_handshake(const HttpHead& head);

/// An HTTP error response without a body of interest, "Connection: close". `status` like 400 or 431.
std::string http_refusal(int status);
/// The same with a text of its own, cut to 1 KB; the usual one when `words` is empty.
std::string http_refusal(int status, std::string_view words);

/// The subprotocols that a client offers, in its order; what is no token is left out (RFC 6455, 4.1 and 11.3.4).
std::vector<std::string> offered_subprotocols(const HttpHead& head);
/// The first of `wanted` that is offered, or "".
std::string choose_subprotocol(const std::vector<std::string>& wanted, const std::vector<std::string>& offered);

/// Whether the request has one Origin, and it is exactly one of `allowed` ("https://chat.example", with the port where it is not
/// the scheme's own), as browsers write it (RFC 6454, 6.1).
bool is_allowed_origin(const HttpHead& head, const std::vector<std::string>& allowed);
/// Whether a client may offer it and a server choose it: a token (RFC 9110, 5.6.2).
bool is_subprotocol(std::string_view name);

/// The 101. `subprotocol` and `extensions` are left out when empty. REQUIRES: neither holds CR or LF.
std::string websocket_acceptance(std::string_view accept_key, std::string_view subprotocol = {},
                                 std::string_view extensions = {});

/// Base64 of SHA-1 of the key and the GUID (RFC 6455, 4.2.2).
std::string websocket_accept_key(std::string_view key);

/// A client's request for `target` at `host`, and the check of the server's answer, for our own clients and tests.
std::string websocket_request(std::string_view host, std::string_view target, std::string_view key);

/// What upstream tells with on_websocket_connect: a PHP array with "get", "server" and "cookie" as it fills them (see the
/// vectors): the query decoded as PHP does (x[]=1, x[a]=2, '+' as space, at most 1000 variables), cookies as they came,
/// REMOTE_PORT and SERVER_PORT integers.
PhpValue handshake_values(const HttpHead& head, std::string_view remote_ip, std::uint16_t remote_port, std::uint16_t server_port);
/// The same serialized; without making a value first where no two fields make one.
std::string handshake_body(const HttpHead& head, std::string_view remote_ip, std::uint16_t remote_port,
                           std::uint16_t server_port);

}  // namespace gatehouse::wire
