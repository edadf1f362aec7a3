#include "wire/stream_protocols.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

#include "base/bytes.h"

namespace gatehouse::wire {
namespace {

class TextProtocol final : public Protocol {
 public:
  [[nodiscard]] Input input(std::string_view buffer, std::size_t seen) const override {
    const std::size_t end = buffer.find('\n', seen);
    return end == std::string_view::npos ? Input::need_more() : Input::frame(end + 1);
  }

  [[nodiscard]] std::string_view decode(std::string_view frame) const override {
    return frame.substr(0, frame.find_last_not_of("\r\n") + 1);  // npos + 1 is 0
  }

  void encode(std::string_view message, std::string& out) const override {
    out.append(message);
    out.push_back('\n');
  }
};

class FrameProtocol final : public Protocol {
 public:
  [[nodiscard]] Input input(std::string_view buffer, std::size_t /*seen*/) const override {
    if (buffer.size() < kHeaderSize) return Input::need_more();
    const std::uint32_t size = load_be32(buffer.data());
    if (size < kHeaderSize) return Input::refuse("frame length under 4, which counts itself");
    return buffer.size() < size ? Input::need_more(size) : Input::frame(size);
  }

  [[nodiscard]] std::string_view decode(std::string_view frame) const override { return frame.substr(kHeaderSize); }

  void encode(std::string_view message, std::string& out) const override {
    if (message.size() > std::numeric_limits<std::uint32_t>::max() - kHeaderSize) {
      throw std::length_error("message too long for the 4-byte length of the frame protocol");
    }
    char header[kHeaderSize];
    store_be32(header, static_cast<std::uint32_t>(message.size() + kHeaderSize));
    out.append(header, kHeaderSize);
    out.append(message);
  }

 private:
  static constexpr std::size_t kHeaderSize = 4;
};

class TcpProtocol final : public Protocol {
 public:
  [[nodiscard]] Input input(std::string_view buffer, std::size_t /*seen*/) const override {
    return buffer.empty() ? Input::need_more() : Input::frame(buffer.size());
  }
  [[nodiscard]] std::string_view decode(std::string_view frame) const override { return frame; }
  void encode(std::string_view message, std::string& out) const override { out.append(message); }
};

}  // namespace

std::unique_ptr<Protocol> make_stream_protocol(std::string_view scheme) {
  if (scheme == "text") return std::make_unique<TextProtocol>();
  if (scheme == "frame") return std::make_unique<FrameProtocol>();
  if (scheme == "tcp") return std::make_unique<TcpProtocol>();
  return nullptr;
}

Scheme split_scheme(std::string_view written) {
  // RFC 3986, 3.1: without regard to case. Configurations of PHP say "Websocket" and "Text".
  std::string small(written);
  std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view scheme = small;
  constexpr std::string_view kTls = "+tls";
  if (scheme == "wss") return {"ws", true};
  const bool is_encrypted = scheme.ends_with(kTls);
  if (is_encrypted) scheme.remove_suffix(kTls.size());
  return {std::string(scheme), is_encrypted};
}

}  // namespace gatehouse::wire
