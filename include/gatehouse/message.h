#pragma once

#include <string_view>

namespace gatehouse {

/// One whole message of a client, as its protocol decoded it. Refers to bytes that live until the handler has finished, through
/// every co_await in it.
class Message {
 public:
  explicit Message(std::string_view bytes, bool is_binary = false, bool redelivered = false)
      : bytes_(bytes), binary_(is_binary), redelivered_(redelivered) {}

  /// The bytes, whether they are text or not.
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  /// The same bytes, for reading as text. A WebSocket text message is valid UTF-8; of any other protocol nothing is known.
  [[nodiscard]] std::string_view text() const { return bytes_; }
  /// True for a binary WebSocket message that came through a gateway of ours. PHP gateways do not tell the two apart: false then.
  [[nodiscard]] bool is_binary() const { return binary_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  /// True when another worker process was given this message before and was gone before it had finished: it may have been handled
  /// not at all, in part or to the end. What must not be done twice needs a look at what has been done (WorkerOptions::delivery).
  [[nodiscard]] bool redelivered() const { return redelivered_; }

 private:
  std::string_view bytes_;
  bool binary_;
  bool redelivered_;
};

}  // namespace gatehouse
