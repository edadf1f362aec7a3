#include "wire/deflate_offer.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/ascii.h"

namespace gatehouse::wire {
namespace {

constexpr std::string_view kField = "Sec-WebSocket-Extensions";
constexpr std::size_t kMostParameters = 16;  // of one offer; four are known

struct Parameter {
  std::string_view name;
  std::optional<std::string_view> value;
};

struct Offer {
  std::string_view name;
  std::vector<Parameter> parameters;
};

/// Reads the list of one header field.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// Calls `begin(name)` for each extension and `add(parameter)` for each of its parameters. False when the text is not a list of
  /// extensions.
  template <class Begin, class Add>
  bool read(Begin begin, Add add) {
    for (;;) {
      while (take(',')) continue;  // empty elements are nothing (RFC 9110, 5.6.1)
      if (at_end()) return true;
      if (!read_offer(begin, add)) return false;
      if (!at_end() && !take(',')) return false;
    }
  }

 private:
  template <class Begin, class Add>
  bool read_offer(Begin& begin, Add& add) {
    const std::string_view name = token();
    if (name.empty()) return false;
    begin(name);
    for (std::size_t count = 0; take(';'); ++count) {
      if (count == kMostParameters) return false;
      Parameter parameter{token(), std::nullopt};
      if (parameter.name.empty()) return false;
      if (take('=')) {
        parameter.value = take('"') ? quoted() : token();
        if (parameter.value->empty()) return false;
      }
      add(parameter);
    }
    return true;
  }

  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  std::string_view token() {
    skip_space();
    const std::size_t start = at_;
    while (at_ < text_.size() && is_token_char(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }
  /// What is in quotes must be a token all the same (RFC 6455, 9.1).
  std::string_view quoted() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_token_char(text_[at_])) ++at_;
    const std::string_view value = text_.substr(start, at_ - start);
    if (at_ == text_.size() || text_[at_] != '"') return {};
    ++at_;
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// 8 to 15, without leading zeros (RFC 7692, 7.1.2.1).
std::optional<int> window_bits(std::string_view value) {
  if (value == "8" || value == "9") return value[0] - '0';
  if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5') return 10 + (value[1] - '0');
  return std::nullopt;
}

/// The parameters of an offer that can be met.
struct Wishes {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::optional<int> server_max_window_bits;
  std::optional<int> client_max_window_bits;
};

bool take_flag(bool& flag, const Parameter& parameter) { return !std::exchange(flag, true) && !parameter.value; }

bool take_bits(std::optional<int>& bits, const Parameter& parameter, bool value_may_miss) {
  if (bits) return false;
  bits = parameter.value ? window_bits(*parameter.value) : std::optional<int>(15);
  return bits && (parameter.value || value_may_miss);
}

std::optional<Wishes> read_wishes(const Offer& offer) {
  Wishes wishes;
  for (const Parameter& parameter : offer.parameters) {
    bool good = false;
    if (equal_ignoring_case(parameter.name, "server_no_context_takeover")) {
      good = take_flag(wishes.server_no_context_takeover, parameter);
    } else if (equal_ignoring_case(parameter.name, "client_no_context_takeover")) {
      good = take_flag(wishes.client_no_context_takeover, parameter);
    } else if (equal_ignoring_case(parameter.name, "server_max_window_bits")) {
      good = take_bits(wishes.server_max_window_bits, parameter, false);
    } else if (equal_ignoring_case(parameter.name, "client_max_window_bits")) {
      good = take_bits(wishes.client_max_window_bits, parameter, true);
    }
    if (!good) return std::nullopt;
  }
  if (wishes.server_max_window_bits == 8) return std::nullopt;
  return wishes;
}

DeflateAnswer agree(const Wishes& wishes, const DeflateRules& rules) {
  DeflateAnswer answer;
  answer.kind = DeflateAnswer::Kind::agreed;
  answer.server_keeps_context = rules.context_takeover && !wishes.server_no_context_takeover;
  answer.client_keeps_context = rules.context_takeover && !wishes.client_no_context_takeover;
  answer.server_window_bits = std::min(rules.window_bits, wishes.server_max_window_bits.value_or(15));
  // Only a client that says it can may be told (RFC 7692, 7.1.2.2).
  if (wishes.client_max_window_bits)
    answer.client_window_bits = std::max(9, std::min(rules.window_bits, *wishes.client_max_window_bits));

  answer.extensions = "permessage-deflate";
  if (!answer.server_keeps_context) answer.extensions += "; server_no_context_takeover";
  if (!answer.client_keeps_context) answer.extensions += "; client_no_context_takeover";
  if (wishes.server_max_window_bits || answer.server_window_bits < 15)
    answer.extensions += "; server_max_window_bits=" + std::to_string(answer.server_window_bits);
  if (wishes.client_max_window_bits && answer.client_window_bits < 15)
    answer.extensions +=
        "; client_max_window_bits=" + std::to_string(std::min(answer.client_window_bits, *wishes.client_max_window_bits));
  return answer;
}

}  // namespace

bool are_extensions_well_formed(const HttpHead& head) {
  return std::all_of(head.fields.begin(), head.fields.end(), [](const HttpHead::Field& field) {
    return !equal_ignoring_case(field.first, kField) || Scanner(field.second).read([](auto) {}, [](const auto&) {});
  });
}

DeflateAnswer answer_deflate_offers(const HttpHead& head, const DeflateRules& rules) {
  DeflateAnswer declined;
  std::vector<Offer> offers;
  for (const auto& [name, value] : head.fields) {
    if (!equal_ignoring_case(name, kField)) continue;
    const auto begin = [&](std::string_view extension) { offers.push_back({extension, {}}); };
    if (!Scanner(value).read(begin, [&](const Parameter& each) { offers.back().parameters.push_back(each); })) return declined;
  }
  for (const Offer& offer : offers) {
    if (!equal_ignoring_case(offer.name, "permessage-deflate")) continue;
    if (const auto wishes = read_wishes(offer)) return agree(*wishes, rules);
  }
  return declined;
}

}  // namespace gatehouse::wire
