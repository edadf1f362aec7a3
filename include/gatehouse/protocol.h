#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace gatehouse {

/// What Protocol::input() made of the bytes that have come so far.
class Input {
 public:
  /// The first `size` bytes are one whole frame. REQUIRES: size > 0 and no more than what was shown.
  static Input frame(std::size_t size) { return Input(Kind::frame, size, {}); }
  /// No whole frame yet. `size`, if known, is how long the frame will be; 0 says it is not known yet. A frame that would be
  /// longer than the gateway's max_package_size closes the connection at once, before its bytes are waited for.
  static Input need_more(std::size_t size = 0) { return Input(Kind::need_more, size, {}); }
  /// The bytes are not of this protocol: the connection is closed, with `reason` in the log.
  static Input refuse(std::string reason) { return Input(Kind::refuse, 0, std::move(reason)); }

  enum class Kind { frame, need_more, refuse };
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  Input(Kind kind, std::size_t size, std::string reason) : kind_(kind), size_(size), reason_(std::move(reason)) {}
  Kind kind_;
  std::size_t size_;
  std::string reason_;
};

/// How clients of one gateway put messages into a byte stream: upstream's `Protocols\X` with its input, encode and decode.
///
/// Derive from it, and give it a scheme name with Application::add_protocol("myproto", ...); then a gateway can listen on
/// "myproto://0.0.0.0:9000". Built in are "text", "frame" and "tcp" (and "websocket", which is more than a framing).
///
/// Thread rule: one object per gateway process serves all its connections, from one thread; so it keeps no state of a single
/// connection. What it is shown comes from strangers: every byte sequence must be answered, none may be trusted. An exception
/// that leaves it closes the connection that caused it and is logged.
class Protocol {
 public:
  Protocol() = default;
  Protocol(const Protocol&) = delete;
  Protocol& operator=(const Protocol&) = delete;
  virtual ~Protocol() = default;

  /// Where does the first frame of `buffer` end? Asked whenever there are bytes; the first `seen` of them were shown before
  /// without a whole frame in them, so that a search need not start over.
  [[nodiscard]] virtual Input input(std::string_view buffer, std::size_t seen) const = 0;

  /// The message inside one whole frame, as a part of it. Called once for each frame that input() found.
  [[nodiscard]] virtual std::string_view decode(std::string_view frame) const = 0;

  /// Appends `message` as one frame to `out`.
  virtual void encode(std::string_view message, std::string& out) const = 0;
};

/// Makes the protocol object of a gateway process.
using ProtocolFactory = std::function<std::unique_ptr<Protocol>()>;

}  // namespace gatehouse
