#include "wire/http_head.h"

#include <algorithm>
#include <array>
#include <utility>

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
std::string_view take_until(std::string_view& rest, std::string_view separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + separator.size());
  return taken;
}

HttpResult refuse(HttpStatus status, const char* reason) { return {status, 0, reason}; }
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

/// The size of the head, if its end is in `bytes`. Looks at the bytes behind `seen`, and at the three before them.
struct HeadEnd {
  std::size_t size = 0;
  const char* fault = nullptr;
};
HeadEnd find_end(std::string_view bytes, std::size_t seen) {
  for (std::size_t i = seen; i < bytes.size(); ++i) {
    const char c = bytes[i];
    const char before = i > 0 ? bytes[i - 1] : '\0';
    if (before == '\r' && c != '\n') return {0, "bare CR"};
    if (c == '\n') {
      if (before != '\r') return {0, "bare LF"};
      if (i >= 3 && bytes[i - 2] == '\n') return {i + 1, nullptr};
    } else if (c != '\r' && is_control(c)) {
      return {0, "control character"};
    } else if (before == '\n' && is_blank(c)) {
      return {0, "folded header line"};
    }
  }
  return {};
}

/// Splits "GET /chat HTTP/1.1"; the fault, or null.
const char* parse_request_line(std::string_view line, HttpHead& out) {
  const std::string_view method = take_until(line, " ");
  const std::string_view target = take_until(line, " ");
  if (method.empty() || target.empty() || target.find('\t') != std::string_view::npos) return "malformed request line";
  if (line.size() != 8 || !line.starts_with("HTTP/1.") || !is_digit(line.back())) return "not HTTP/1.x";
  out.method = method;
  out.target = target;
  out.version = line;
  return nullptr;
}

/// Splits "Host: example.org"; the fault, or null.
const char* parse_field(std::string_view line, std::pair<std::string_view, std::string_view>& out) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "header line without a colon";
  const std::string_view name = line.substr(0, colon);
  if (name.empty()) return "header line without a name";
  if (is_blank(name.back())) return "white space before a colon";
  if (!std::all_of(name.begin(), name.end(), is_token_char)) return "character that no header name may have";
  out = {name, trim(line.substr(colon + 1))};
  return nullptr;
}

}  // namespace

HttpResult parse_http_head(std::string_view bytes, std::size_t seen, HttpHead& out, const HttpLimits& limits) {
  const std::string_view window = bytes.substr(0, limits.bytes);
  if (seen <= kMaxMethod && !begins_like_a_method(window)) return bad_request("not an HTTP request");
  const HeadEnd end = find_end(window, seen);
  if (end.fault != nullptr) return bad_request(end.fault);
  if (end.size == 0) {
    if (window.size() == limits.bytes) return refuse(HttpStatus::too_large, "head over the limit of bytes");
    return {};
  }

  // A first round over the lines only checks: memory is taken for heads that are accepted, and for them once.
  std::string_view lines = window.substr(0, end.size - 2);
  HttpHead head;
  if (const char* fault = parse_request_line(take_until(lines, "\r\n"), head)) return bad_request(fault);
  const std::string_view field_lines = lines;
  std::pair<std::string_view, std::string_view> field;
  std::size_t count = 0;
  std::size_t hosts = 0;
  std::size_t lengths = 0;
  while (!lines.empty()) {
    if (count == limits.fields) return refuse(HttpStatus::too_large, "more header fields than the limit");
    if (const char* fault = parse_field(take_until(lines, "\r\n"), field)) return bad_request(fault);
    ++count;
    if (equal_ignoring_case(field.first, "Host") && ++hosts > 1) return bad_request("two Host fields");
    if (equal_ignoring_case(field.first, "Content-Length") && ++lengths > 1) return bad_request("two Content-Length fields");
  }

  head.fields.reserve(count);
  for (lines = field_lines; !lines.empty();) {
    parse_field(take_until(lines, "\r\n"), field);
    head.fields.push_back(field);
  }
  out = std::move(head);
  return {HttpStatus::complete, end.size, ""};
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
      if (equal_ignoring_case(trim(take_until(rest, ",")), token)) return true;
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
