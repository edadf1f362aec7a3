// Reads a byte stream with the text and the frame protocol, whole and in pieces that the data gives the sizes of, and wants the
// same messages; then sends each message and reads it back.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wire/stream_protocols.h"

namespace {

using gatehouse::Input;
using gatehouse::Protocol;

void check(bool right) {
  if (!right) std::abort();
}

struct Outcome {
  std::vector<std::string> messages;
  bool refused = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome read(const Protocol& protocol, std::string_view bytes, std::string_view cuts) {
  Outcome outcome;
  std::vector<char> pending;
  std::size_t seen = 0;
  for (std::size_t turn = 0; !bytes.empty(); ++turn) {
    const std::size_t piece = cuts.empty() ? bytes.size() : 1U + static_cast<unsigned char>(cuts[turn % cuts.size()]);
    const std::string_view more = bytes.substr(0, piece);
    bytes.remove_prefix(more.size());
    std::vector<char> buffer(pending.size() + more.size());
    std::copy(pending.begin(), pending.end(), buffer.begin());
    std::copy(more.begin(), more.end(), buffer.begin() + static_cast<std::ptrdiff_t>(pending.size()));
    std::string_view rest(buffer.data(), buffer.size());
    for (;;) {
      const Input input = protocol.input(rest, seen);
      if (input.kind() == Input::Kind::refuse) {
        outcome.refused = true;
        return outcome;
      }
      seen = rest.size();
      if (input.kind() == Input::Kind::need_more) {
        check(input.size() == 0 || input.size() > rest.size());
        break;
      }
      check(input.size() > 0 && input.size() <= rest.size());
      outcome.messages.emplace_back(protocol.decode(rest.substr(0, input.size())));
      rest.remove_prefix(input.size());
      seen = 0;
    }
    pending.assign(rest.begin(), rest.end());
  }
  return outcome;
}

}  // namespace

// The input: number of cuts, the cuts, the stream.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const std::string_view cuts = input.substr(1, static_cast<unsigned char>(input[0]) % 16U);
  const std::string_view stream = input.substr(1 + cuts.size());
  for (const char* scheme : {"text", "frame"}) {
    const auto protocol = gatehouse::wire::make_stream_protocol(scheme);
    const Outcome whole = read(*protocol, stream, {});
    check(whole == read(*protocol, stream, cuts));
    std::string sent;
    for (const std::string& message : whole.messages) protocol->encode(message, sent);
    check(read(*protocol, sent, cuts).messages == whole.messages);
  }
  return 0;
}
