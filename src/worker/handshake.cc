#include <gatehouse/handshake.h>

#include <utility>

#include "wire/php_value.h"
#include "wire/websocket_handshake.h"
#include "worker/client_context.h"

namespace gatehouse {
namespace {

/// "?0=a&1=b" is a list in PHP, and so a JSON array; here it is looked up by name like any other.
Value as_object(Value value) {
  if (value.is_object()) return value;
  Value object = Value::object();
  if (value.is_array()) {
    std::size_t index = 0;
    for (Value& element : value) object[std::to_string(index++)] = std::move(element);
  }
  return object;
}

std::string text_of(const Value& object, const std::string& name) {
  const auto found = object.find(name);
  return found == object.end() || !found->is_string() ? std::string() : found->get<std::string>();
}

Value member(const wire::PhpArray& array, const char* name) {
  const wire::PhpValue* value = array.find(wire::PhpKey::from_text(name));
  return value == nullptr ? Value::object() : wire::to_json(*value, true);
}

}  // namespace

Handshake::Handshake(Value query, Value server, Value cookies)
    : query_(as_object(std::move(query))), server_(as_object(std::move(server))), cookies_(as_object(std::move(cookies))) {}

Handshake::Handshake(const Handshake& other) : query_(other.query()), server_(other.server()), cookies_(other.cookies()) {}

Handshake& Handshake::operator=(const Handshake& other) {
  if (this == &other) return *this;
  query_ = other.query();
  server_ = other.server();
  cookies_ = other.cookies();
  unread_ = nullptr;
  return *this;
}

const Handshake& Handshake::read() const {
  if (unread_ == nullptr) return *this;
  const wire::PhpArray parts = unread_->handshake_values();
  unread_ = nullptr;
  query_ = as_object(member(parts, "get"));
  server_ = as_object(member(parts, "server"));
  cookies_ = as_object(member(parts, "cookie"));
  return *this;
}

std::string Handshake::query(std::string_view name) const { return text_of(query(), std::string(name)); }

std::string Handshake::cookie(std::string_view name) const { return text_of(cookies(), std::string(name)); }

std::string Handshake::header(std::string_view name) const {
  std::string key = "HTTP_";
  for (const char c : name) {
    const bool lower = c >= 'a' && c <= 'z';
    key += c == '-' ? '_' : static_cast<char>(lower ? c - 'a' + 'A' : c);
  }
  return text_of(server(), key);
}

std::vector<std::string> Handshake::subprotocols() const {
  wire::HttpHead head;
  const std::string field = header("Sec-WebSocket-Protocol");
  head.fields.emplace_back("Sec-WebSocket-Protocol", field);
  return wire::offered_subprotocols(head);
}

}  // namespace gatehouse
