#include "wire/client_id.h"

#include <cstddef>

namespace gatehouse::wire {
namespace {

constexpr std::size_t kDigits = 20;

void put_hex(std::string& out, std::uint32_t number, int digits) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += "0123456789abcdef"[(number >> shift) & 15];
}

bool take_hex(std::string_view digits, std::uint32_t& number) {
  number = 0;
  for (const char c : digits) {
    std::uint32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<std::uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<std::uint32_t>(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<std::uint32_t>(c - 'A' + 10);
    } else {
      return false;
    }
    number = number << 4 | digit;
  }
  return true;
}

}  // namespace

std::string format_client_id(const ClientId& id) {
  std::string text;
  text.reserve(kDigits);
  put_hex(text, id.local_ip, 8);
  put_hex(text, id.local_port, 4);
  put_hex(text, id.connection_id, 8);
  return text;
}

std::optional<ClientId> parse_client_id(std::string_view text) {
  if (text.size() != kDigits) return std::nullopt;
  ClientId id;
  std::uint32_t port = 0;
  if (!take_hex(text.substr(0, 8), id.local_ip) || !take_hex(text.substr(8, 4), port) ||
      !take_hex(text.substr(12, 8), id.connection_id)) {
    return std::nullopt;
  }
  id.local_port = static_cast<std::uint16_t>(port);
  return id;
}

}  // namespace gatehouse::wire
