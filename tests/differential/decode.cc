// Our readers for the scripts of this folder, which hold them against other people's: takes pieces of input on standard input,
// each behind its length (4 bytes, big-endian), and writes what each was read as, in the same way.
//   decode php     PhpStatus as a digit, then the value as serialize() writes it
//   decode query   the variables of a query as serialize() writes them
//   decode http    the head as JSON, each byte as the character of its number
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "wire/http_head.h"
#include "wire/php_query.h"
#include "wire/php_serialize.h"

namespace {

using namespace gatehouse;

std::string php(std::string_view text) {
  wire::PhpValue value;
  const wire::PhpStatus status = wire::unserialize(text, value);
  const std::string digit = std::to_string(static_cast<int>(status));
  return status == wire::PhpStatus::ok ? digit + wire::serialize(value) : digit;
}

std::string query(std::string_view text) { return wire::serialize(wire::parse_php_query(text)); }

/// UTF-8 of the characters that ISO 8859-1 reads the bytes as.
std::string as_latin1(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) {
      out.push_back(static_cast<char>(0xc0 | (byte >> 6)));
      out.push_back(static_cast<char>(0x80 | (byte & 0x3f)));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string http(std::string_view bytes) {
  wire::HttpHead head;
  const wire::HttpResult result = wire::parse_http_head(bytes, 0, head);
  nlohmann::json out;
  switch (result.status) {
    case wire::HttpStatus::need_more: out["status"] = "need_more"; break;
    case wire::HttpStatus::bad_request: out["status"] = "bad_request"; break;
    case wire::HttpStatus::too_large: out["status"] = "too_large"; break;
    case wire::HttpStatus::complete:
      out = {{"status", "complete"},
             {"method", as_latin1(head.method)},
             {"target", as_latin1(head.target)},
             {"version", as_latin1(head.version)},
             {"fields", nlohmann::json::array()}};
      for (const auto& [name, value] : head.fields) out["fields"].push_back({as_latin1(name), as_latin1(value)});
  }
  out["reason"] = result.reason;
  return out.dump();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  std::string (*read)(std::string_view) = what == "php" ? php : what == "query" ? query : what == "http" ? http : nullptr;
  if (read == nullptr) {
    std::cerr << "decode php|query|http\n";
    return 2;
  }
  const std::string input{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  std::string_view rest(input);
  while (rest.size() >= 4) {
    const std::size_t size = load_be32(rest.data());
    rest.remove_prefix(4);
    // From memory of its own, so that the sanitizer sees a read behind its end.
    const std::string result = read(std::string(rest.substr(0, size)));
    rest.remove_prefix(std::min(size, rest.size()));
    char length[4];
    store_be32(length, static_cast<std::uint32_t>(result.size()));
    std::cout.write(length, sizeof length) << result;
  }
  return 0;
}
