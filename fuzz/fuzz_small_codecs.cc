// The small readers of peers' bytes: UTF-8, client ids, ranges of events, the business's word to a handshake, query and cookies.
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/script.h"
#include "wire/client_id.h"
#include "wire/event_ranges.h"
#include "wire/handshake_verdict.h"
#include "wire/php_query.h"
#include "wire/php_serialize.h"
#include "wire/utf8.h"

namespace {

using namespace gatehouse::wire;
using gatehouse::fuzz::check;
using gatehouse::fuzz::Script;

/// RFC 3629, 4, one character after the other.
bool is_utf8_slowly(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = at(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t more = lead >= 0xc2 && lead <= 0xdf   ? 1
                             : lead >= 0xe0 && lead <= 0xef ? 2
                             : lead >= 0xf0 && lead <= 0xf4 ? 3
                                                            : 0;
    if (more == 0 || text.size() - i <= more) return false;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    for (std::size_t k = 1; k <= more; ++k, low = 0x80, high = 0xbf) {
      if (at(i + k) < low || at(i + k) > high) return false;
    }
    i += more + 1;
  }
  return true;
}

void utf8(Script& script) {
  const std::size_t cut = script.byte();
  const std::string text(script.all());
  const bool good = is_utf8(text);
  check(good == is_utf8_slowly(text));
  const std::string_view view(text);
  const std::string first(view.substr(0, cut));  // of its own, so that a read behind it is seen
  const std::uint32_t state = check_utf8(kUtf8Accept, first);
  const std::string rest(view.substr(first.size()));
  check((check_utf8(state, rest) == kUtf8Accept) == good);
  check(state != kUtf8Reject || !good);
}

void client_ids(std::string_view text) {
  const auto id = parse_client_id(text);
  if (!id) return;
  const std::string written = format_client_id(*id);
  check(written.size() == 20 && parse_client_id(written) == id);
}

void ranges(std::string_view bytes) {
  std::string again;
  std::string_view rest = bytes;
  EventRange range;
  while (take_event_range(rest, range)) append_event_range(again, range);
  check(again + std::string(rest) == bytes && rest.size() < kEventRangeSize);
}

void verdicts(std::string_view body) {
  HandshakeVerdict verdict;
  if (!parse_handshake_verdict(body, verdict)) return;
  check(verdict.status == 101 || (verdict.status >= 400 && verdict.status <= 599));
  HandshakeVerdict again;
  check(parse_handshake_verdict(handshake_verdict_body(verdict), again));
  check(again.status == verdict.status && again.words == verdict.words && again.subprotocol == verdict.subprotocol);
}

void queries(std::string_view text) {
  for (const PhpArray& values : {parse_php_query(text), parse_cookies(text)}) {
    check(values.size() <= kMaxQueryVariables);
    // A worker reads them back.
    PhpValue read;
    check(unserialize(serialize(values), read) == PhpStatus::ok && read == PhpValue(values));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script script(data, size);
  switch (script.below(5)) {
    case 0: utf8(script); break;
    case 1: client_ids(script.all()); break;
    case 2: ranges(script.all()); break;
    case 3: verdicts(script.all()); break;
    default: queries(script.all());
  }
  return 0;
}
