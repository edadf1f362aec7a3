#include "wire/http_head.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "wire/ascii.h"

namespace gatehouse::wire {
namespace {

constexpr std::size_t kMaxMethod = 32;  // bytes; the longest registered one has 17

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Takes the text up to `separator` off `rest`, with the separator; all of it when there is none.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return taken;
}

/// Takes a line with its CRLF off `lines`. REQUIRES: there is one, and no other CR in it.
std::string_view take_line(std::string_view& lines) {
  const std::string_view line = take_until(lines, '\r');
  lines.remove_prefix(1);
  return line;
}

HttpResult refuse(HttpStatus status, const char* reason) { return {.status = status, .reason = reason}; }
HttpResult bad_request(const char* reason) { return refuse(HttpStatus::bad_request, reason); }

/// Bytes that are not HTTP at all (a TLS hello, another protocol) show it in the first of them: no need to wait for a line's end.
bool begins_like_a_method(std::string_view bytes) {
  const std::size_t size = std::min(bytes.size(), kMaxMethod + 1);
  for (std::size_t i = 0; i < size; ++i) {
    if (bytes[i] == ' ') return i > 0;
    if (!is_token_char(bytes[i])) return false;
  }
  return size <= kMaxMethod;
}

/// The first control character (a tab is one here) from `from` on, or the size. Eight bytes at a time: nearly none is one.
std::size_t find_control(std::string_view bytes, std::size_t from) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighBits = 0x80 * kOnes;
  std::size_t i = from;
  for (; i + sizeof(std::uint64_t) <= bytes.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    const std::uint64_t del = word ^ (0x7F * kOnes);
    // A high bit for each byte below 0x20 or equal to 0x7F. Borrows may set more of them, but only above one that is right.
    const std::uint64_t found = (((word - 0x20 * kOnes) & ~word) | ((del - kOnes) & ~del)) & kHighBits;
    if (found == 0) continue;
    if constexpr (std::endian::native == std::endian::little) return i + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    break;
  }
  while (i < bytes.size() && bytes[i] != '\t' && !is_control(bytes[i])) ++i;
  return i;
}

/// The size of the head, if its end is in `bytes`. Looks at the bytes behind `seen`, and at the three before them.
struct HeadEnd {
  std::size_t size = 0;
  const char* fault = nullptr;
};
HeadEnd find_end(std::string_view bytes, std::size_t seen) {
  // Begins with a CR that was the last byte, or a CRLF whose next byte has only come now. (If that begins with the LF of an
  // earlier one, what follows it was looked at.)
  std::size_t i = find_control(bytes, seen - std::min<std::size_t>(seen, 2));
  while (i < bytes.size()) {
    const char c = bytes[i];
    if (c == '\n') {
      if (i == 0 || bytes[i - 1] != '\r') return {0, "bare LF"};
    } else if (c == '\r') {
      if (++i == bytes.size()) break;
      if (bytes[i] != '\n') return {0, "bare CR"};
      if (i >= 3 && bytes[i - 2] == '\n') return {i + 1, nullptr};
      if (i + 1 < bytes.size() && is_blank(bytes[i + 1])) return {0, "folded header line"};
    } else if (c != '\t') {
      return {0, "control character"};
    }
    i = find_control(bytes, i + 1);
  }
  return {};
}

/// Splits "GET /chat HTTP/1.1"; the fault, or null.
const char* parse_request_line(std::string_view line, HttpHead& out) {
  const std::string_view method = take_until(line, ' ');
  const std::string_view target = take_until(line, ' ');
  if (method.empty() || target.empty() || target.find('\t') != std::string_view::npos) return "malformed request line";
  if (line.size() != 8 || !line.starts_with("HTTP/1.") || !is_digit(line.back())) return "not HTTP/1.x";
  out.method = method;
  out.target = target;
  out.version = line;
  return nullptr;
}

/// Splits "Host: example.org"; the fault, or null.
const char* parse_field(std::string_view line, HttpHead::Field& out) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "header line without a colon";
  const std::string_view name = line.substr(0, colon);
  if (name.empty()) return "header line without a name";
  if (is_blank(name.back())) return "white space before a colon";
  for (const char c : name) {
    if (!is_token_char(c)) return "character that no header name may have";
  }
  out = {name, trim(line.substr(colon + 1))};
  return nullptr;
}

bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// RFC 3986, 2.2 and 2.3.
bool is_unreserved_or_sub_delim(char c) {
  constexpr std::string_view kMarks = "-._~!$&'()*+,;=";
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kMarks.find(c) != std::string_view::npos;
}

/// The size of the host at the start of `text`: an address in brackets, or a name, which may be empty (RFC 3986, 3.2.2). npos
/// when the brackets are not right.
std::size_t host_size(std::string_view text) {
  if (text.starts_with('[')) {
    std::size_t end = 1;
    while (end < text.size() && (is_unreserved_or_sub_delim(text[end]) || text[end] == ':')) ++end;
    return end > 1 && end < text.size() && text[end] == ']' ? end + 1 : std::string_view::npos;
  }
  std::size_t end = 0;
  while (end < text.size()) {
    const bool is_encoded =
        text[end] == '%' && end + 2 < text.size() && is_hex_digit(text[end + 1]) && is_hex_digit(text[end + 2]);
    if (!is_encoded && !is_unreserved_or_sub_delim(text[end])) break;
    end += is_encoded ? 3 : 1;
  }
  return end;
}

/// uri-host [ ":" port ] (RFC 9110, 7.2).
bool is_host_and_port(std::string_view value) {
  const std::size_t host = host_size(value);
  if (host == std::string_view::npos || host == value.size()) return host == value.size();
  if (value[host] != ':') return false;
  return value.find_first_not_of("0123456789", host + 1) == std::string_view::npos;
}

/// The lines of a head that is there to its end; its fields go to `out`. The result has no size.
HttpResult parse_lines(std::string_view lines, HttpHead& out, std::size_t max_fields) {
  if (const char* fault = parse_request_line(take_line(lines), out)) return bad_request(fault);
  std::size_t hosts = 0;
  std::size_t lengths = 0;
  while (!lines.empty()) {
    if (out.fields.size() == max_fields) return refuse(HttpStatus::too_large, "more header fields than the limit");
    HttpHead::Field& field = out.fields.emplace_back();
    if (const char* fault = parse_field(take_line(lines), field)) return bad_request(fault);
    if (equal_ignoring_case(field.first, "Host")) {
      if (++hosts > 1) return bad_request("two Host fields");
      if (!is_host_and_port(field.second)) return bad_request("a Host that is no host and port");  // RFC 9112, 3.2
    }
    if (equal_ignoring_case(field.first, "Content-Length") && ++lengths > 1) return bad_request("two Content-Length fields");
  }
  return {.status = HttpStatus::complete};
}

HttpResult parse_from_request_line(std::string_view bytes, std::size_t seen, HttpHead& out, const HttpLimits& limits) {
  const std::string_view window = bytes.substr(0, limits.bytes);
  if (seen <= kMaxMethod && !begins_like_a_method(window)) return bad_request("not an HTTP request");
  const HeadEnd end = find_end(window, seen);
  if (end.fault != nullptr) return bad_request(end.fault);
  if (end.size == 0) {
    if (window.size() == limits.bytes) return refuse(HttpStatus::too_large, "head over the limit of bytes");
    return {};
  }

  out.fields.clear();
  HttpResult result = parse_lines(window.substr(0, end.size - 2), out, limits.fields);
  if (result.status == HttpStatus::complete) {
    result.size = end.size;
  } else {
    out.fields.clear();
  }
  return result;
}

}  // namespace

HttpResult parse_http_head(std::string_view bytes, std::size_t seen, HttpHead& out, const HttpLimits& limits) {
  if (bytes.starts_with('\r')) {
    // Some clients send a line's end behind the request before this one, which may have been none.
    if (bytes.size() == 1) return {};
    if (bytes[1] != '\n') return bad_request("bare CR");
    HttpResult result = parse_from_request_line(bytes.substr(2), seen - std::min<std::size_t>(seen, 2), out, limits);
    if (result.status == HttpStatus::complete) {
      result.start = 2;
      result.size += 2;
    }
    return result;
  }
  return parse_from_request_line(bytes, seen, out, limits);
}

std::string_view HttpHead::field(std::string_view name, std::size_t* count) const {
  std::string_view value;
  std::size_t found = 0;
  for (const auto& [field_name, field_value] : fields) {
    if (!equal_ignoring_case(field_name, name)) continue;
    if (found++ == 0) value = field_value;
  }
  if (count != nullptr) *count = found;
  return value;
}

bool HttpHead::has_token(std::string_view name, std::string_view token) const {
  for (const auto& [field_name, value] : fields) {
    if (!equal_ignoring_case(field_name, name)) continue;
    for (std::string_view rest = value; !rest.empty();) {
      if (equal_ignoring_case(trim(take_until(rest, ',')), token)) return true;
    }
  }
  return false;
}

std::string_view HttpHead::path() const {
  std::string_view rest = target.substr(0, target.find('?'));
  // The absolute form ("http://host/chat") means the same to a server (RFC 9112, 3.2.2).
  const std::size_t scheme_end = rest.starts_with('/') ? std::string_view::npos : rest.find("://");
  if (scheme_end == std::string_view::npos) return rest;
  const std::size_t slash = rest.find('/', scheme_end + 3);
  return slash == std::string_view::npos ? std::string_view("/") : rest.substr(slash);
}

std::string_view HttpHead::query() const {
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

bool begins_like_http(std::string_view bytes) {
  constexpr std::array<std::string_view, 4> kMethods = {"GET ", "HEAD ", "OPTIONS ", "POST "};
  constexpr std::size_t kEnough = 4;  // bytes: the shortest of them, which may be all that has come yet
  return bytes.size() >= kEnough && std::any_of(kMethods.begin(), kMethods.end(), [bytes](std::string_view method) {
           return bytes.substr(0, method.size()) == method.substr(0, bytes.size());
         });
}

}  // namespace gatehouse::wire
