#include "wire/websocket_handshake.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "wire/ascii.h"
#include "wire/deflate_offer.h"
#include "wire/php_query.h"
#include "wire/php_serialize.h"

namespace gatehouse::wire {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3

bool is_base64_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/// 16 bytes in base64: 22 characters and "==".
bool is_websocket_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") && std::all_of(key.begin(), key.end() - 2, is_base64_char);
}

std::string concat(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  std::string out;
  out.reserve(size);
  for (const std::string_view part : parts) out.append(part);
  return out;
}

const char* status_text(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "Refused";
  }
}

const char* status_sentence(int status) {
  switch (status) {
    case 400: return "This is not a well-formed HTTP/1.1 request; a WebSocket opening handshake is expected here.";
    case 403: return "This origin may not connect here; the server's configuration lists the origins that may.";
    case 404: return "There is nothing at this path; check the address of the WebSocket server.";
    case 405: return "A WebSocket opening handshake is a GET request; no other method is served here.";
    case 408: return "The opening handshake took too long; send the whole request at once.";
    case 426: return "Only WebSocket version 13 is spoken here; send \"Sec-WebSocket-Version: 13\".";
    case 429: return "There are too many connections from this address; close some, or try again later.";
    case 431: return "The request's header is too large; send fewer or shorter header fields.";
    case 503: return "The server takes no more connections at the moment; try again later.";
    default: return "The request was refused.";
  }
}

const char* status_fields(int status) {
  switch (status) {
    case 405: return "Allow: GET\r\n";
    // A 426 names the protocol to change to (RFC 9110, 15.5.22), a wrong version the right one (RFC 6455, 4.4).
    case 426: return "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    default: return "";
  }
}

std::string refusal(int status, std::string_view sentence) {
  return concat({"HTTP/1.1 ", std::to_string(status), " ", status_text(status), "\r\n", status_fields(status),
                 "Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ",
                 std::to_string(sentence.size() + 1), "\r\n\r\n", sentence, "\n"});
}

HandshakeAnswer refuse(int status, const char* reason, std::string_view sentence) {
  HandshakeAnswer answer;
  answer.refusal = refusal(status, sentence);
  answer.reason = reason;
  return answer;
}

bool has_field(const HttpHead& head, std::string_view name) {
  std::size_t count = 0;
  (void)head.field(name, &count);
  return count > 0;
}

/// "chat.example:8282" and "[::1]:8282" without the port.
std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon == std::string_view::npos) return host;
  if (host.find_first_not_of("0123456789", colon + 1) != std::string_view::npos) return host;
  const std::string_view name = host.substr(0, colon);
  const bool is_bracketed = name.ends_with(']');
  return is_bracketed || name.find(':') == std::string_view::npos ? name : host;
}

char server_key_char(char c) {
  if (c == '-') return '_';
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
}

/// "X-Real-IP" is HTTP_X_REAL_IP.
void append_server_key(std::string& out, std::string_view field_name) {
  out += "HTTP_";
  for (const char c : field_name) out.push_back(server_key_char(c));
}
std::string server_key(std::string_view field_name) {
  std::string key;
  append_server_key(key, field_name);
  return key;
}

bool have_same_server_key(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return server_key_char(x) == server_key_char(y); });
}

bool has_underscore(std::string_view name) { return name.find('_') != std::string_view::npos; }

void add_fields(const HttpHead& head, PhpArray& server) {
  // The keys in the order in which they come, each with its values one behind the other.
  std::vector<std::pair<std::string, std::string>> entries;
  std::unordered_map<std::string, std::size_t> places;
  const auto add = [&](const HttpHead::Field& field) {
    const auto [place, is_new] = places.try_emplace(server_key(field.first), entries.size());
    if (is_new) {
      entries.emplace_back(place->first, field.second);
    } else {
      // Fields of one name are a list (RFC 9110, 5.3), but cookies are not separated by commas.
      entries[place->second].second.append(place->first == "HTTP_COOKIE" ? "; " : ",").append(field.second);
    }
  };
  // A field with an underscore would pass for one that is there in its proper spelling: behind a proxy that sets X-Real-IP, a
  // client could send X_Real_IP as well.
  std::unordered_set<std::string> proper;
  if (std::any_of(head.fields.begin(), head.fields.end(), [](const auto& field) { return has_underscore(field.first); })) {
    for (const auto& [name, value] : head.fields) {
      if (!has_underscore(name)) proper.insert(server_key(name));
    }
  }
  for (const HttpHead::Field& field : head.fields) {
    if (!has_underscore(field.first) || !proper.contains(server_key(field.first))) add(field);
  }
  for (auto& [key, value] : entries) server.set(PhpKey::from_text(key), std::move(value));
}

/// As nearly always: each field makes an entry of its own. Quadratic, so not for many.
bool fields_are_plain(const HttpHead& head) {
  constexpr std::size_t kFew = 64;
  if (head.fields.size() > kFew) return false;
  for (auto field = head.fields.begin(); field != head.fields.end(); ++field) {
    if (has_underscore(field->first)) return false;
    const bool again = std::any_of(head.fields.begin(), field, [&](const auto& earlier) {
      return earlier.first.size() == field->first.size() && have_same_server_key(earlier.first, field->first);
    });
    if (again) return false;
  }
  return true;
}

/// SHA-1 of both, one behind the other. What OpenSSL needs for it is kept: to find it among its providers and to allocate takes
/// longer than the digest.
std::array<unsigned char, 20> sha1(std::string_view text, std::string_view more) {
  static const EVP_MD* const kind = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  thread_local std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(nullptr, &EVP_MD_CTX_free);
  if (context == nullptr) context.reset(EVP_MD_CTX_new());
  std::array<unsigned char, 20> digest{};
  unsigned int size = 0;
  if (kind == nullptr || context == nullptr || EVP_DigestInit_ex(context.get(), kind, nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), text.data(), text.size()) != 1 ||
      EVP_DigestUpdate(context.get(), more.data(), more.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1) {
    throw std::runtime_error("OpenSSL offers no SHA-1, which every WebSocket handshake needs");
  }
  return digest;
}

}  // namespace

HandshakeAnswer check_websocket_handshake(const HttpHead& head) {
  std::size_t count = 0;
  if (head.method != "GET") return refuse(405, "method is not GET", status_sentence(405));
  if (head.version == "HTTP/1.0") {
    return refuse(400, "HTTP/1.0", "HTTP/1.0 has no WebSocket handshake; send the request as HTTP/1.1.");
  }
  if (head.field("Host", &count).empty() || count != 1) {
    return refuse(400, "no Host", "The Host header field is missing or empty; send it once, with the server's name.");
  }
  // What follows the head are frames: a body would be read as such, or frames as a body by a proxy in between.
  const std::string_view length = head.field("Content-Length", &count);
  const bool has_length = count > 0 && length != "0";
  if (has_length || has_field(head, "Transfer-Encoding")) {
    return refuse(400, "request with a body",
                  "A WebSocket opening handshake has no body; send neither Content-Length nor Transfer-Encoding.");
  }
  if (!head.has_token("Upgrade", "websocket")) {
    return refuse(400, "no Upgrade: websocket", "This is a WebSocket server; send \"Upgrade: websocket\" to speak with it.");
  }
  if (!head.has_token("Connection", "upgrade")) {
    return refuse(400, "no Connection: Upgrade",
                  "The Connection header field does not name Upgrade; send \"Connection: Upgrade\", and let proxies pass it on.");
  }
  const std::string_view version = head.field("Sec-WebSocket-Version", &count);
  if (count > 1) {
    return refuse(400, "two Sec-WebSocket-Version fields", "Sec-WebSocket-Version stands there twice; send it once, with 13.");
  }
  if (version != "13") return refuse(426, "WebSocket version is not 13", status_sentence(426));
  const std::string_view key = head.field("Sec-WebSocket-Key", &count);
  if (count != 1 || !is_websocket_key(key)) {
    return refuse(400, "no valid Sec-WebSocket-Key",
                  "Sec-WebSocket-Key is missing, doubled or malformed; send it once, with 16 random bytes in base64.");
  }
  if (!are_extensions_well_formed(head)) {
    return refuse(400, "malformed Sec-WebSocket-Extensions",
                  "Sec-WebSocket-Extensions is not a list of extensions and their parameters (RFC 6455, 9.1); send a well-formed "
                  "one, or none.");
  }
  HandshakeAnswer answer;
  answer.accepted = true;
  answer.accept_key = websocket_accept_key(key);
  return answer;
}

std::string http_refusal(int status) { return refusal(status, status_sentence(status)); }

std::string http_refusal(int status, std::string_view words) {
  constexpr std::size_t kMostWords = 1024;
  return words.empty() ? http_refusal(status) : refusal(status, words.substr(0, kMostWords));
}

bool is_subprotocol(std::string_view name) { return !name.empty() && std::all_of(name.begin(), name.end(), is_token_char); }

std::vector<std::string> offered_subprotocols(const HttpHead& head) {
  std::vector<std::string> out;
  for (const auto& [name, value] : head.fields) {
    if (!have_same_server_key(name, "Sec-WebSocket-Protocol")) continue;
    for (std::string_view rest = value; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string_view element = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      while (!element.empty() && (element.front() == ' ' || element.front() == '\t')) element.remove_prefix(1);
      while (!element.empty() && (element.back() == ' ' || element.back() == '\t')) element.remove_suffix(1);
      if (is_subprotocol(element)) out.emplace_back(element);
    }
  }
  return out;
}

std::string choose_subprotocol(const std::vector<std::string>& wanted, const std::vector<std::string>& offered) {
  for (const std::string& name : wanted) {
    if (std::find(offered.begin(), offered.end(), name) != offered.end()) return name;
  }
  return {};
}

bool is_allowed_origin(const HttpHead& head, const std::vector<std::string>& allowed) {
  std::size_t count = 0;
  const std::string_view origin = head.field("Origin", &count);
  return count == 1 && std::find(allowed.begin(), allowed.end(), origin) != allowed.end();
}

std::string websocket_acceptance(std::string_view accept_key, std::string_view subprotocol, std::string_view extensions) {
  return concat({"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
                 accept_key, subprotocol.empty() ? "" : "\r\nSec-WebSocket-Protocol: ", subprotocol,
                 extensions.empty() ? "" : "\r\nSec-WebSocket-Extensions: ", extensions, "\r\n\r\n"});
}

std::string websocket_accept_key(std::string_view key) {
  const std::array digest = sha1(key, kGuid);
  std::array<unsigned char, 4 * (digest.size() / 3 + 1) + 1> base64{};
  const int size = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest.size()));
  return {base64.begin(), base64.begin() + size};
}

std::string websocket_request(std::string_view host, std::string_view target, std::string_view key) {
  return concat({"GET ", target, " HTTP/1.1\r\nHost: ", host, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ", key, "\r\n\r\n"});
}

PhpValue handshake_values(const HttpHead& head, std::string_view remote_ip, std::uint16_t remote_port,
                          std::uint16_t server_port) {
  const auto text = [](std::string_view view) { return PhpValue(std::string(view)); };
  const auto key = [](const char* name) { return PhpKey::from_text(name); };

  PhpArray server;
  server.set(key("QUERY_STRING"), text(head.query()));
  server.set(key("REQUEST_METHOD"), text(head.method));
  server.set(key("REQUEST_URI"), text(head.target));
  server.set(key("SERVER_PROTOCOL"), text(head.version));
  server.set(key("SERVER_NAME"), text(without_port(head.field("Host"))));
  server.set(key("CONTENT_TYPE"), has_field(head, "Content-Type") ? text(head.field("Content-Type")) : PhpValue());
  server.set(key("REMOTE_ADDR"), text(remote_ip));
  server.set(key("REMOTE_PORT"), static_cast<std::int64_t>(remote_port));
  server.set(key("SERVER_PORT"), static_cast<std::int64_t>(server_port));
  add_fields(head, server);

  const PhpValue* cookies = server.find(key("HTTP_COOKIE"));
  PhpArray cookie = cookies != nullptr ? parse_cookies(*cookies->string()) : PhpArray();
  PhpArray out;
  out.set(key("get"), parse_php_query(head.query()));
  out.set(key("server"), std::move(server));
  out.set(key("cookie"), std::move(cookie));
  return out;
}

std::string handshake_body(const HttpHead& head, std::string_view remote_ip, std::uint16_t remote_port,
                           std::uint16_t server_port) {
  std::string out;
  if (!fields_are_plain(head)) {
    serialize(handshake_values(head, remote_ip, remote_port, server_port), out);
    return out;
  }
  out.reserve(1024);
  PhpWriter writer(out);
  const auto text = [&writer](std::string_view key, std::string_view value) {
    writer.string(key);
    writer.string(value);
  };
  writer.begin_array(3);
  writer.string("get");
  if (head.query().empty()) {
    writer.begin_array(0);
    writer.end_array();
  } else {
    serialize(parse_php_query(head.query()), out);
  }
  constexpr std::size_t kFixed = 9;  // entries before those of the fields
  writer.string("server");
  writer.begin_array(kFixed + head.fields.size());
  text("QUERY_STRING", head.query());
  text("REQUEST_METHOD", head.method);
  text("REQUEST_URI", head.target);
  text("SERVER_PROTOCOL", head.version);
  text("SERVER_NAME", without_port(head.field("Host")));
  if (has_field(head, "Content-Type")) {
    text("CONTENT_TYPE", head.field("Content-Type"));
  } else {
    writer.string("CONTENT_TYPE");
    writer.null();
  }
  text("REMOTE_ADDR", remote_ip);
  writer.string("REMOTE_PORT");
  writer.integer(remote_port);
  writer.string("SERVER_PORT");
  writer.integer(server_port);
  std::string key;
  for (const auto& [name, value] : head.fields) {
    key.clear();
    append_server_key(key, name);
    text(key, value);
  }
  writer.end_array();
  writer.string("cookie");
  serialize(has_field(head, "Cookie") ? parse_cookies(head.field("Cookie")) : PhpArray(), out);
  writer.end_array();
  return out;
}

}  // namespace gatehouse::wire
