#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace gatehouse::wire {

/// The head of an HTTP/1.1 request; refers to the bytes it was parsed from.
struct HttpHead {
  std::string_view method;
  std::string_view target;   // "/chat?room=1"
  std::string_view version;  // "HTTP/1.1"

  using Field = std::pair<std::string_view, std::string_view>;  // name and value, without outer white space
  std::vector<Field> fields;                                    // in order

  /// The value of the first field of that name (any case), or "" with `count` 0. `count` says how many there are.
  [[nodiscard]] std::string_view field(std::string_view name, std::size_t* count = nullptr) const;
  /// Whether `token` (any case) is in the comma-separated list that all fields of that name form.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;
  [[nodiscard]] std::string_view path() const;
  [[nodiscard]] std::string_view query() const;  // behind the first '?', or ""
};

struct HttpLimits {
  std::size_t bytes = 8 * 1024;
  std::size_t fields = 64;
};
/// More than this nobody may configure, and so no gateway passes on.
inline constexpr HttpLimits kMostHead = {.bytes = 1024 * 1024, .fields = 10'000};

enum class HttpStatus {
  complete,
  need_more,
  // 400: not HTTP/1.x, a bare LF or CR, white space before a colon, folding, a control character, two Hosts or Content-Lengths, a
  // Host that is no host and port
  bad_request,
  too_large,  // 431: over the limit of bytes or fields
};

struct HttpResult {
  HttpStatus status = HttpStatus::need_more;
  std::size_t start = 0;    // of the request line, when complete: behind the empty line that is ignored, if there is one
  std::size_t size = 0;     // of everything up to the final empty line, with it, when complete
  const char* reason = "";  // one phrase for the log when refused
};

/// Parses the head at the start of `bytes`, whose first `seen` bytes were shown before. One empty line in front is ignored (RFC
/// 9112, 2.2), and counts for no limit. Linear in the bytes that are new. `out` may be one that was used before: memory is taken
/// only when it holds too little. It is not to be looked at unless complete.
HttpResult parse_http_head(std::string_view bytes, std::size_t seen, HttpHead& out, const HttpLimits& limits = {});

/// Whether `bytes` begin as a request does. Load balancers and browsers that knock at a port which does not speak HTTP say that,
/// and it is not worth a line in a log.
bool begins_like_http(std::string_view bytes);

}  // namespace gatehouse::wire
