#include "netstring.h"

#include <algorithm>
#include <charconv>

using gatehouse::Input;

// `seen` is not needed: what must be looked at again is never more than kMaxDigits + 1 bytes.
Input Netstring::input(std::string_view buffer, std::size_t /*seen*/) const {
  const std::string_view head = buffer.substr(0, kMaxDigits + 1);
  const std::size_t digits = std::min(head.find_first_not_of("0123456789"), head.size());
  if (digits > kMaxDigits) return Input::refuse("the length has more than 9 digits");
  if (digits > 1 && head[0] == '0') return Input::refuse("the length begins with 0");
  if (digits == head.size()) return Input::need_more();
  if (digits == 0 || head[digits] != ':') return Input::refuse("no length and colon at the start");

  std::size_t length = 0;
  std::from_chars(head.data(), head.data() + digits, length);
  const std::size_t frame_size = digits + 1 + length + 1;
  // With the size in hand the gateway can refuse what is too long before it has come.
  if (buffer.size() < frame_size) return Input::need_more(frame_size);
  if (buffer[frame_size - 1] != ',') return Input::refuse("no comma after the message");
  return Input::frame(frame_size);
}

std::string_view Netstring::decode(std::string_view frame) const {
  frame.remove_prefix(frame.find(':') + 1);
  frame.remove_suffix(1);
  return frame;
}

void Netstring::encode(std::string_view message, std::string& out) const {
  out += std::to_string(message.size());
  out += ':';
  out += message;
  out += ',';
}
