// Parses a request head whole and in pieces that the data gives the sizes of, wants the same result, and then runs the handshake
// and the decoding of its values over it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wire/deflate_offer.h"
#include "wire/http_head.h"
#include "wire/php_serialize.h"
#include "wire/websocket_handshake.h"

namespace {

using namespace gatehouse::wire;

constexpr HttpLimits kLimits = {.bytes = 400, .fields = 8};

void check(bool right) {
  if (!right) std::abort();
}

bool is_inside(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

HttpResult parse_in_pieces(std::string_view bytes, std::string_view cuts) {
  HttpHead head;
  HttpResult result;
  std::size_t seen = 0;
  for (std::size_t turn = 0; result.status == HttpStatus::need_more && seen < bytes.size(); ++turn) {
    const std::size_t piece = cuts.empty() ? 1 : 1U + static_cast<unsigned char>(cuts[turn % cuts.size()]);
    const std::string_view so_far = bytes.substr(0, seen + piece);
    const std::vector<char> exact(so_far.begin(), so_far.end());
    result = parse_http_head({exact.data(), exact.size()}, seen, head, kLimits);
    check(result.status == HttpStatus::complete || head.fields.empty());
    seen = so_far.size();
  }
  return result;
}

}  // namespace

// The input: number of cuts, the cuts, the bytes of the head.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const std::string_view cuts = input.substr(1, static_cast<unsigned char>(input[0]) % 16U);
  const std::string_view bytes = input.substr(1 + cuts.size());
  HttpHead head;
  const HttpResult whole = parse_http_head(bytes, 0, head, kLimits);
  const HttpResult pieces = parse_in_pieces(bytes, cuts);
  check(whole.status == pieces.status && whole.size == pieces.size && whole.start == pieces.start &&
        std::string_view(whole.reason) == pieces.reason);
  if (whole.status != HttpStatus::complete) return 0;

  check(whole.start == (bytes.starts_with("\r\n") ? 2U : 0U) && whole.size - whole.start <= kLimits.bytes &&
        head.fields.size() <= kLimits.fields);
  const std::string_view text = bytes.substr(0, whole.size);
  check(text.ends_with("\r\n\r\n") && is_inside(head.method, text) && is_inside(head.query(), text));
  check(head.path() == "/" || is_inside(head.path(), text));  // "/" for an absolute form without a path
  for (const auto& [name, value] : head.fields) check(is_inside(name, text) && is_inside(value, text));
  const HandshakeAnswer answer = check_websocket_handshake(head);
  check(answer.accepted == answer.refusal.empty() && answer.accepted == (answer.accept_key.size() == 28));

  // What is chosen was offered, and may stand in an answer.
  const std::vector<std::string> offered = offered_subprotocols(head);
  for (const std::string& name : offered) check(is_subprotocol(name));
  const std::string chosen = choose_subprotocol({"superchat", "chat"}, offered);
  check(chosen.empty() || std::find(offered.begin(), offered.end(), chosen) != offered.end());
  if (is_allowed_origin(head, {"https://chat.example"})) check(head.field("Origin") == "https://chat.example");
  const DeflateAnswer deflate = answer_deflate_offers(head, {.context_takeover = true});
  if (answer.accepted) check(websocket_acceptance(answer.accept_key, chosen, deflate.extensions).ends_with("\r\n\r\n"));

  // What the values are serialized to, a worker can read again.
  PhpValue copy;
  const PhpValue values = handshake_values(head, "127.0.0.1", 1, 2);
  const std::string body = handshake_body(head, "127.0.0.1", 1, 2);
  check(body == serialize(values) && unserialize(body, copy) == PhpStatus::ok && copy == values);
  return 0;
}
