#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse {

/// What is sent to clients: bytes that are text, or binary by way of binary(). On a WebSocket the two are different frames; text
/// must be UTF-8 there, which is the sender's to keep (browsers end the connection over text that is not). Refers to the bytes,
/// so it lives as long as they do: meant as a parameter.
class Data {
 public:
  Data(std::string_view text) : bytes_(text) {}    // NOLINT(google-explicit-constructor): a parameter type
  Data(const std::string& text) : bytes_(text) {}  // NOLINT(google-explicit-constructor)
  Data(const char* text) : bytes_(text) {}         // NOLINT(google-explicit-constructor)

  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] bool is_binary() const { return binary_; }

 private:
  friend Data binary(std::string_view bytes);
  std::string_view bytes_;
  bool binary_ = false;
};

/// `cluster.send_to_all(gh::binary(picture))`
inline Data binary(std::string_view bytes) {
  Data data(bytes);
  data.binary_ = true;
  return data;
}

/// One name or several: client ids, uids or groups. Refers to them, so it is meant as a parameter. g++ 12 refuses a braced list
/// inside a co_await ("array used as initializer"): give such a list a name first.
class Names {
 public:
  Names(std::string_view one) : names_{one} {}    // NOLINT(google-explicit-constructor): a parameter type
  Names(const std::string& one) : names_{one} {}  // NOLINT(google-explicit-constructor)
  Names(const char* one) : names_{one} {}         // NOLINT(google-explicit-constructor)
  Names(std::initializer_list<std::string_view> several) : names_(several) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Names(const std::vector<std::string>& several) : names_(several.begin(), several.end()) {}

  [[nodiscard]] const std::vector<std::string_view>& list() const { return names_; }

 private:
  std::vector<std::string_view> names_;
};

/// How a message is sent.
struct SendOptions {
  /// Client ids that do not get it.
  std::vector<std::string> except = {};
  /// The bytes go out as they are, without the framing of the client's protocol.
  bool raw = false;
  /// Names what the message tells, when only the latest word on it counts: "price:EURUSD", "cursor:42". Has an effect on gateways
  /// with SendBufferPolicy::keep_latest, and there only on clients that do not read fast enough. At most 255 bytes, which are
  /// never sent to clients; more is refused (std::invalid_argument). Gateways of PHP do not know it.
  std::string latest_key = {};
};

}  // namespace gatehouse
