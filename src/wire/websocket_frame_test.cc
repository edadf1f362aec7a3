#include "wire/websocket_frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <ostream>
#include <vector>

#include "base/bytes.h"

namespace gatehouse::wire {

// For the words of failing tests; found by googletest, hence outside the unnamed namespace.
void PrintTo(WebSocketEvent::Kind kind, std::ostream* out) {
  static constexpr const char* kNames[] = {"need_more", "fragment", "message", "ping", "pong", "close", "error"};
  *out << kNames[static_cast<std::size_t>(kind)];
}

namespace {

using namespace std::string_literals;
using Kind = WebSocketEvent::Kind;
using Role = WebSocketReader::Role;

constexpr std::uint32_t kMask = 0x3D21FA37;  // 37 fa 21 3d on the wire, as in RFC 6455, 5.7

/// An event with its payload copied.
struct Seen {
  Kind kind;
  std::string payload;
  bool binary = false;
  std::uint16_t code = 0;
  std::string reason = "";
  friend bool operator==(const Seen&, const Seen&) = default;
};
void PrintTo(const Seen& seen, std::ostream* out) {
  PrintTo(seen.kind, out);
  *out << " '" << seen.payload.substr(0, 60) << "' " << seen.binary << " " << seen.code << " " << seen.reason;
}

Seen text(std::string payload) { return {Kind::message, std::move(payload)}; }
Seen binary(std::string payload) { return {Kind::message, std::move(payload), true}; }
Seen fragment() { return {Kind::fragment, ""}; }
Seen ping(std::string payload) { return {Kind::ping, std::move(payload)}; }
Seen pong(std::string payload) { return {Kind::pong, std::move(payload)}; }
Seen closing(std::uint16_t code, std::string reason = "") { return {Kind::close, std::move(reason), false, code}; }

/// A reader with one connection, that is fed as the contract of next() says: what was not consumed comes again, as it was left.
/// The bytes stand in a buffer of exactly their size, so that AddressSanitizer sees a step beyond them.
class Connection {
 public:
  explicit Connection(Role role = Role::server, WebSocketLimits limits = {}, bool deflate = false) : reader_(role, limits) {
    state_.deflate = deflate;
  }
  ~Connection() {
    reader_.forget(state_);
    EXPECT_EQ(reader_.held_bytes(), 0U);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  std::vector<Seen> feed(std::string_view bytes) {
    std::vector<Seen> events;
    std::vector<char> buffer(pending_.size() + bytes.size());
    std::copy(pending_.begin(), pending_.end(), buffer.begin());
    std::copy(bytes.begin(), bytes.end(), buffer.begin() + static_cast<std::ptrdiff_t>(pending_.size()));
    std::span<char> rest(buffer);
    for (;;) {
      const bool was_closed = state_.closed;
      const WebSocketEvent event = reader_.next(state_, rest);
      EXPECT_LE(event.consumed, rest.size());
      if (event.kind == Kind::need_more) {
        EXPECT_EQ(event.consumed, was_closed ? rest.size() : 0U);
        rest = rest.subspan(event.consumed);
        break;
      }
      EXPECT_GT(event.consumed, 0U);
      events.push_back({event.kind, {event.payload.data(), event.payload.size()}, event.binary, event.close_code, event.reason});
      if (event.compressed) events.back().reason = "compressed";
      rest = rest.subspan(event.consumed);
    }
    pending_.assign(rest.begin(), rest.end());
    return events;
  }

  [[nodiscard]] const WebSocketState& state() const { return state_; }
  [[nodiscard]] const WebSocketReader& reader() const { return reader_; }
  [[nodiscard]] std::vector<char>& pending() { return pending_; }

 private:
  WebSocketReader reader_;
  WebSocketState state_;
  std::vector<char> pending_;
};

void append(std::vector<Seen>& to, std::vector<Seen> more) {
  for (Seen& seen : more) to.push_back(std::move(seen));
}

/// All events of `bytes`, shown in one piece; asserts that every cut in two, and byte by byte, gives the same ones.
std::vector<Seen> read(std::string_view bytes, Role role = Role::server, WebSocketLimits limits = {}, bool deflate = false) {
  Connection whole(role, limits, deflate);
  std::vector<Seen> expected = whole.feed(bytes);
  Connection dripping(role, limits, deflate);
  std::vector<Seen> dripped;
  for (const char c : bytes) append(dripped, dripping.feed({&c, 1}));
  EXPECT_EQ(dripped, expected) << "byte by byte";
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Connection connection(role, limits, deflate);
    std::vector<Seen> events = connection.feed(bytes.substr(0, cut));
    append(events, connection.feed(bytes.substr(cut)));
    EXPECT_EQ(events, expected) << "cut at " << cut;
    if (events != expected) break;
  }
  return expected;
}

std::string masked(Opcode opcode, std::string_view payload, bool fin = true) {
  std::string out;
  append_masked_frame(out, opcode, payload, kMask, fin);
  return out;
}
std::string unmasked(Opcode opcode, std::string_view payload) {
  std::string out;
  append_frame(out, opcode, payload);
  return out;
}
/// The header of a masked frame, with the length in the form that is asked for.
std::string header(unsigned first, unsigned length_byte, std::uint64_t length = 0) {
  std::string out = {static_cast<char>(first), static_cast<char>(0x80 | length_byte)};
  char bytes[8];
  if (length_byte == 126) {
    store_be16(bytes, static_cast<std::uint16_t>(length));
    out.append(bytes, 2);
  } else if (length_byte == 127) {
    store_be64(bytes, length);
    out.append(bytes, 8);
  }
  return out;
}
std::string close_payload(unsigned code, std::string_view reason = {}) {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code)}.append(reason);
}

/// The last event, which must be an error; its code.
std::uint16_t error_code(const std::vector<Seen>& events) {
  if (events.empty() || events.back().kind != Kind::error) return 0;
  EXPECT_NE(events.back().reason, "");
  return events.back().code;
}

TEST(WebSocketReader, ReadsTheExamplesOfTheRfc) {
  EXPECT_EQ(read("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), std::vector{text("Hello")});
  EXPECT_EQ(read("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), std::vector{pong("Hello")});
  EXPECT_EQ(read("\x81\x05Hello", Role::client), std::vector{text("Hello")});
  EXPECT_EQ(read("\x89\x05Hello", Role::client), std::vector{ping("Hello")});
  EXPECT_EQ(read("\x01\x03Hel\x80\x02lo", Role::client), (std::vector{fragment(), text("Hello")}));
  EXPECT_EQ(read("\x82\x7E\x01\x00"s + std::string(256, 'b'), Role::client), std::vector{binary(std::string(256, 'b'))});
}

TEST(WebSocketReader, ReadsEverySizeNearTheFormsOfLength) {
  for (const std::size_t size : {0U, 1U, 3U, 4U, 7U, 8U, 9U, 31U, 32U, 33U, 124U, 125U, 126U, 127U, 300U}) {
    std::string payload;
    for (std::size_t i = 0; i < size; ++i) payload.push_back(static_cast<char>(i * 7));
    EXPECT_EQ(read(masked(Opcode::binary, payload)), std::vector{binary(payload)}) << size;
    EXPECT_EQ(read(unmasked(Opcode::binary, payload), Role::client), std::vector{binary(payload)}) << size;
  }
  for (const std::size_t size : {65535U, 65536U, 65537U}) {
    const std::string payload(size, 'x');
    Connection connection;
    EXPECT_EQ(connection.feed(masked(Opcode::text, payload)), std::vector{text(payload)}) << size;
  }
}

TEST(WebSocketReader, DeliversAWholeMessageInPlaceAndKeepsNothing) {
  std::string input = masked(Opcode::text, "in place");
  WebSocketReader reader(Role::server, {});
  WebSocketState state;
  const WebSocketEvent event = reader.next(state, input);
  ASSERT_EQ(event.kind, Kind::message);
  EXPECT_EQ(event.consumed, input.size());
  EXPECT_EQ(event.payload.data(), input.data() + 6);
  EXPECT_EQ(state.fragments, nullptr);
}

TEST(WebSocketReader, KeepsLittleForAConnection) { EXPECT_LE(sizeof(WebSocketState), 24U); }

TEST(WebSocketReader, ReadsAMixtureHoweverItIsCut) {
  const std::string stream = masked(Opcode::text, "one") + masked(Opcode::ping, "p") + masked(Opcode::text, "\xE4\xB8", false) +
                             masked(Opcode::ping, "\xFF between") + masked(Opcode::continuation, "", false) +
                             masked(Opcode::pong, "") + masked(Opcode::continuation, "\xAD two") +
                             masked(Opcode::binary, "\xFF") + masked(Opcode::binary, "a", false) +
                             masked(Opcode::continuation, "\xC3") + masked(Opcode::text, "") +
                             masked(Opcode::close, close_payload(1001, "bye")) + masked(Opcode::text, "never seen");
  EXPECT_EQ(read(stream),
            (std::vector{text("one"), ping("p"), fragment(), ping("\xFF between"), fragment(), pong(""), text("\xE4\xB8\xAD two"),
                         binary("\xFF"), fragment(), binary("a\xC3"), text(""), closing(1001, "bye")}));
}

TEST(WebSocketReader, AsksNothingOfAConstantMask) {
  // Upstream's cache of decoded frames gave out one message's end for another's.
  const std::string hello = masked(Opcode::text, "hel", false) + masked(Opcode::continuation, "lo");
  EXPECT_EQ(read(hello + hello), (std::vector{fragment(), text("hello"), fragment(), text("hello")}));
}

TEST(WebSocketReader, RefusesEveryFirstByteThatMayNotStandThere) {
  for (unsigned first = 0; first < 256; ++first) {
    const std::string byte = {static_cast<char>(first)};
    const bool is_control = first == 0x88 || first == 0x89 || first == 0x8A;
    Connection outside;
    const bool allowed_outside = is_control || first == 0x01 || first == 0x02 || first == 0x81 || first == 0x82;
    EXPECT_EQ(error_code(outside.feed(byte)), allowed_outside ? 0 : 1002) << first;
    Connection inside;
    ASSERT_EQ(inside.feed(masked(Opcode::text, "a", false)), std::vector{fragment()});
    const bool allowed_inside = is_control || first == 0x00 || first == 0x80;
    EXPECT_EQ(error_code(inside.feed(byte)), allowed_inside ? 0 : 1002) << first;
  }
}

TEST(WebSocketReader, WantsMaskedFramesFromClientsAndUnmaskedFromServers) {
  EXPECT_EQ(error_code(read(unmasked(Opcode::text, "a"))), 1002);
  EXPECT_EQ(error_code(read(masked(Opcode::text, "a"), Role::client)), 1002);
  EXPECT_EQ(error_code(Connection().feed("\x81\x01"s)), 1002) << "from the second byte on";
}

TEST(WebSocketReader, TakesControlFramesOf125BytesAndNoMore) {
  const std::string most(125, 'p');
  EXPECT_EQ(read(masked(Opcode::ping, most)), std::vector{ping(most)});
  for (const unsigned first : {0x88U, 0x89U, 0x8AU}) {
    EXPECT_EQ(error_code(Connection().feed(header(first, 126))), 1002) << first;
    EXPECT_EQ(error_code(Connection().feed(header(first, 127))), 1002) << first;
  }
}

TEST(WebSocketReader, RefusesLengthsFromTheHeaderOn) {
  struct Case {
    unsigned length_byte;
    std::uint64_t length;
    std::uint16_t code;
  };
  const std::uint64_t kTop = std::uint64_t{1} << 63;
  const Case cases[] = {
      {126, 0, 1002},        {126, 125, 1002},   {126, 126, 0},           {126, 1000, 0},
      {126, 1001, 1009},     {126, 65535, 1009}, {127, 0, 1002},          {127, 125, 1002},
      {127, 65535, 1002},    {127, 65536, 1009}, {127, 0xFFFFFFFF, 1009}, {127, 0x100000000, 1009},
      {127, kTop - 1, 1009}, {127, kTop, 1002},  {127, kTop + 1, 1002},   {127, ~std::uint64_t{0}, 1002},
  };
  for (const Case& c : cases) {
    for (const unsigned first : {0x81U, 0x82U, 0x01U, 0x02U}) {
      Connection connection(Role::server, {.message = 1000});
      EXPECT_EQ(error_code(connection.feed(header(first, c.length_byte, c.length))), c.code) << c.length_byte << " " << c.length;
      EXPECT_EQ(connection.state().fragments, nullptr);
    }
  }
}

TEST(WebSocketReader, NeverTakesMoreThanItCanCount) {
  Connection connection(Role::server, {.message = ~std::size_t{0}});
  EXPECT_EQ(error_code(connection.feed(header(0x82, 127, (std::uint64_t{3} << 30) + 1))), 1009);
  Connection largest(Role::server, {.message = ~std::size_t{0}});
  EXPECT_TRUE(largest.feed(header(0x82, 127, std::uint64_t{3} << 30) + "mask" + "payload").empty());
}

TEST(WebSocketReader, TakesAMessageAtTheLimitAndNotOnePastIt) {
  const WebSocketLimits limits = {.message = 130};
  EXPECT_EQ(read(masked(Opcode::text, std::string(130, 'a')), Role::server, limits), std::vector{text(std::string(130, 'a'))});
  EXPECT_EQ(error_code(Connection(Role::server, limits).feed(header(0x81, 126, 131))), 1009);

  const std::string start = masked(Opcode::text, std::string(100, 'a'), false);
  EXPECT_EQ(read(start + masked(Opcode::continuation, std::string(30, 'b')), Role::server, limits),
            (std::vector{fragment(), text(std::string(100, 'a') + std::string(30, 'b'))}));
  Connection connection(Role::server, limits);
  EXPECT_EQ(connection.feed(start), std::vector{fragment()});
  EXPECT_EQ(connection.reader().held_bytes(), 100U);
  EXPECT_EQ(error_code(connection.feed(header(0x80, 31))), 1009);
  EXPECT_EQ(connection.reader().held_bytes(), 0U);
}

TEST(WebSocketReader, TakesFragmentsUpToTheLimitAndCountsEmptyOnes) {
  const WebSocketLimits limits = {.fragments = 4};
  for (const char* part : {"", "x"}) {
    const std::string start =
        masked(Opcode::text, part, false) + masked(Opcode::continuation, part, false) + masked(Opcode::continuation, part, false);
    EXPECT_EQ(read(start + masked(Opcode::continuation, "y"), Role::server, limits).back(),
              text(std::string(part) + part + part + "y"));
    EXPECT_EQ(error_code(read(start + masked(Opcode::continuation, part, false) + masked(Opcode::continuation, "y"), Role::server,
                              limits)),
              1008);
  }
}

TEST(WebSocketReader, BoundsWhatAFloodOfTinyFragmentsHolds) {
  Connection limited;
  std::vector<Seen> events = limited.feed(masked(Opcode::binary, "", false));
  for (int i = 0; i < 131'000; ++i) append(events, limited.feed(masked(Opcode::continuation, "", false)));
  EXPECT_EQ(events.size(), 1025U);  // 1024 fragments and the error; then silence
  EXPECT_EQ(error_code(events), 1008);

  Connection patient(Role::server, {.fragments = 200'000});
  patient.feed(masked(Opcode::binary, "x", false));
  std::size_t growths = 0;
  for (std::size_t sent = 1; sent < 131'000; ++sent) {
    const std::size_t before = patient.state().fragments->bytes.capacity();
    ASSERT_EQ(patient.feed(masked(Opcode::continuation, "x", false)), std::vector{fragment()});
    const std::size_t after = patient.state().fragments->bytes.capacity();
    growths += before != after ? 1 : 0;
    ASSERT_LE(after, std::max<std::size_t>(2 * (sent + 1), 64));
  }
  EXPECT_EQ(patient.reader().held_bytes(), 131'000U);
  EXPECT_LE(growths, 20U) << "doubling, so that the bytes are copied a constant number of times";
}

TEST(WebSocketReader, CountsWhatItHoldsForAllConnections) {
  WebSocketReader reader(Role::server, {});
  WebSocketState one;
  WebSocketState two;
  std::string first = masked(Opcode::text, "12345", false);
  std::string second = masked(Opcode::text, "123", false);
  reader.next(one, first);
  reader.next(two, second);
  EXPECT_EQ(reader.held_bytes(), 8U);
  std::string last = masked(Opcode::continuation, "45");
  EXPECT_EQ(reader.next(two, last).kind, Kind::message);
  EXPECT_EQ(reader.held_bytes(), 10U);
  reader.next(two, {});
  EXPECT_EQ(reader.held_bytes(), 5U);
  EXPECT_EQ(two.fragments, nullptr);
  reader.forget(one);
  EXPECT_EQ(reader.held_bytes(), 0U);
  EXPECT_EQ(one.fragments, nullptr);
}

TEST(WebSocketReader, LooksAtEachByteOfAnUnfinishedFrameOnce) {
  Connection connection;
  const std::string frame = masked(Opcode::text, std::string(200, 'a'));
  EXPECT_TRUE(connection.feed(std::string_view(frame).substr(0, 108)).empty());
  // Had it looked again, it would refuse these bytes or unmask them a second time.
  std::vector<char>& pending = connection.pending();
  std::fill(pending.begin() + 8, pending.end(), '\xFF');
  EXPECT_EQ(connection.feed(std::string_view(frame).substr(108)),
            std::vector{text(std::string(100, '\xFF') + std::string(100, 'a'))});
}

TEST(WebSocketReader, RefusesTextThatIsNotUtf8WhereItStopsBeingIt) {
  // A frame of which only a part has come, without an end in sight.
  std::string start = header(0x81, 126, 1000);
  start.append(4, '\0');
  Connection connection;
  EXPECT_TRUE(connection.feed(start + "all well so far \xE4\xB8").empty());
  EXPECT_EQ(error_code(connection.feed("\xFF")), 1007);

  const std::string part = masked(Opcode::text, "\xF0\x9F", false);
  EXPECT_EQ(read(part + masked(Opcode::continuation, "\x98\x80")), (std::vector{fragment(), text("\xF0\x9F\x98\x80")}));
  EXPECT_EQ(error_code(read(part + masked(Opcode::continuation, "\x28\x80"))), 1007);
  EXPECT_EQ(error_code(read(part + masked(Opcode::continuation, "\x98"))), 1007) << "ends inside a character";
  EXPECT_EQ(error_code(read(masked(Opcode::text, "\xE4\xB8"))), 1007) << "ends inside a character";
  EXPECT_EQ(error_code(read(masked(Opcode::text, "\xED\xA0\x80"))), 1007) << "surrogate";
  EXPECT_EQ(read(masked(Opcode::text, "\xC3", false) + masked(Opcode::continuation, "\xA4") + masked(Opcode::text, "b")),
            (std::vector{fragment(), text("\xC3\xA4"), text("b")}));
}

TEST(WebSocketReader, LeavesBinaryMessagesUnchecked) {
  EXPECT_EQ(read(masked(Opcode::binary, "\xFF\xC0", false) + masked(Opcode::continuation, "\xE4")),
            (std::vector{fragment(), binary("\xFF\xC0\xE4")}));
}

std::string marked(std::string frame) {
  frame[0] = static_cast<char>(static_cast<unsigned char>(frame[0]) | 0x40U);
  return frame;
}

TEST(WebSocketReader, TakesCompressedMessagesOnlyWhenAgreedAndMarkedAtTheirFirstFrame) {
  const auto frame = [](Opcode opcode, std::string_view payload, bool fin = true) {
    std::string out;
    append_masked_frame(out, opcode, payload, kMask, fin);
    return out;
  };
  const Seen compressed_text{Kind::message, "\xff\xfe", false, 0, "compressed"};
  const Seen compressed_binary{Kind::message, "abcd", true, 0, "compressed"};
  EXPECT_EQ(read(marked(frame(Opcode::text, "\xff\xfe")) + frame(Opcode::text, "plain"), Role::server, {}, true),
            (std::vector{compressed_text, text("plain")}));
  EXPECT_EQ(read(marked(frame(Opcode::binary, "ab", false)) + frame(Opcode::ping, "p") + frame(Opcode::continuation, "cd") +
                     frame(Opcode::text, "a", false) + frame(Opcode::continuation, "b"),
                 Role::server, {}, true),
            (std::vector{fragment(), ping("p"), compressed_binary, fragment(), text("ab")}));
  const Seen refused{Kind::error, "", false, close_code::kProtocolError, "reserved bits set without an extension"};
  EXPECT_EQ(read(marked(frame(Opcode::text, "a"))), std::vector{refused});
  EXPECT_EQ(read(marked(frame(Opcode::ping, "a")), Role::server, {}, true), std::vector{refused});
  EXPECT_EQ(read(marked(frame(Opcode::close, "")), Role::server, {}, true), std::vector{refused});
  EXPECT_EQ(read(marked(frame(Opcode::text, "a", false)) + marked(frame(Opcode::continuation, "b")), Role::server, {}, true),
            (std::vector{fragment(), refused}));
}

TEST(WebSocketReader, ACompressedMessageMayBeAnEighthLongerThanTheLimitOfWhatItHolds) {
  const WebSocketLimits limits{.message = 800, .fragments = 8};
  std::string fits;
  append_masked_frame(fits, Opcode::binary, std::string(964, 'x'), kMask);
  std::string too_long;
  append_masked_frame(too_long, Opcode::binary, std::string(965, 'x'), kMask);
  EXPECT_EQ(read(marked(fits), Role::server, limits, true).at(0).kind, Kind::message);
  EXPECT_EQ(read(marked(too_long), Role::server, limits, true).at(0).code, close_code::kTooBig);
  EXPECT_EQ(read(fits, Role::server, limits, true).at(0).code, close_code::kTooBig);
}

TEST(WebSocketReader, ReadsCloseFrames) {
  EXPECT_EQ(read(masked(Opcode::close, "")), std::vector{closing(1005)});
  EXPECT_EQ(read(masked(Opcode::close, close_payload(1000))), std::vector{closing(1000)});
  EXPECT_EQ(read(masked(Opcode::close, close_payload(4999, std::string(123, 'r')))),
            std::vector{closing(4999, std::string(123, 'r'))});
  EXPECT_EQ(error_code(read(masked(Opcode::close, "\x03"))), 1002);
  EXPECT_EQ(error_code(read(masked(Opcode::close, close_payload(1005)))), 1002);
  EXPECT_EQ(error_code(read(masked(Opcode::close, close_payload(1000, "\xFF")))), 1007);
  EXPECT_EQ(error_code(read(masked(Opcode::close, close_payload(1000, "\xE4\xB8")))), 1007);
}

TEST(WebSocketReader, KnowsTheCodesOfACloseFrame) {
  for (unsigned code = 0; code <= 0xFFFF; ++code) {
    const bool of_the_rfc = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1011);
    const bool of_the_registry = code >= 1012 && code <= 1014;
    const bool of_applications = code >= 3000 && code <= 4999;
    ASSERT_EQ(is_valid_close_code(static_cast<std::uint16_t>(code)), of_the_rfc || of_the_registry || of_applications) << code;
  }
}

TEST(WebSocketReader, DeliversNothingAfterACloseOrAnError) {
  const std::string message = masked(Opcode::text, "late");
  EXPECT_EQ(read(masked(Opcode::close, "") + message), std::vector{closing(1005)});
  for (const std::string& bad : {"\xC1"s, "\x83"s, masked(Opcode::ping, "", false), unmasked(Opcode::text, "a"),
                                 masked(Opcode::continuation, "x"), masked(Opcode::text, "\xFF"), header(0x89, 126)}) {
    const std::vector<Seen> events = read(bad + message);
    ASSERT_EQ(events.size(), 1U) << testing::PrintToString(bad);
    EXPECT_EQ(events[0].kind, Kind::error);
  }
  const std::vector<Seen> inside = read(masked(Opcode::text, "half", false) + message);
  ASSERT_EQ(inside.size(), 2U);
  EXPECT_EQ(inside[1].code, 1002);
}

TEST(WebSocketReader, DropsAnUnfinishedMessageWithTheConnection) {
  Connection connection;
  connection.feed(masked(Opcode::text, "half", false));
  EXPECT_EQ(connection.feed(masked(Opcode::close, "")), std::vector{closing(1005)});
  EXPECT_EQ(connection.state().fragments, nullptr);
  EXPECT_EQ(connection.reader().held_bytes(), 0U);
}

// A client that had sent a message in fragments and then nothing kept all of it here.
TEST(WebSocketReader, FreesADeliveredMessageWhenTold) {
  WebSocketReader reader(Role::server, {});
  WebSocketState state;
  std::string first = masked(Opcode::text, "12345", false);
  std::string last = masked(Opcode::continuation, "678");
  reader.next(state, first);
  reader.release(state);
  EXPECT_EQ(WebSocketReader::held_by(state), 5U) << "not before its end";
  EXPECT_EQ(reader.next(state, last).kind, Kind::message);
  reader.release(state);
  EXPECT_EQ(WebSocketReader::held_by(state), 0U);
  EXPECT_EQ(reader.held_bytes(), 0U);
}

TEST(WebSocketReader, FreesADeliveredMessageAtTheNextCall) {
  Connection connection;
  connection.feed(masked(Opcode::text, "a", false) + masked(Opcode::continuation, "b"));
  EXPECT_EQ(connection.state().fragments, nullptr);
  EXPECT_EQ(connection.reader().held_bytes(), 0U);
}

TEST(WebSocketFrames, WritesHeadersInTheShortestForm) {
  EXPECT_EQ(unmasked(Opcode::text, "Hello"), "\x81\x05Hello");
  EXPECT_EQ(unmasked(Opcode::pong, ""), "\x8A\x00"s);
  const auto header_of = [](std::size_t size) {
    char out[kMaxFrameHeader];
    const std::size_t length = write_frame_header(out, Opcode::binary, size);
    EXPECT_EQ(length, frame_header_size(size));
    return std::string(out, length);
  };
  EXPECT_EQ(header_of(125), "\x82\x7D"s);
  EXPECT_EQ(header_of(126), "\x82\x7E\x00\x7E"s);
  EXPECT_EQ(header_of(65535), "\x82\x7E\xFF\xFF"s);
  EXPECT_EQ(header_of(65536), "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"s);
  EXPECT_EQ(header_of(0x0102030405060708), "\x82\x7F\x01\x02\x03\x04\x05\x06\x07\x08"s);
}

TEST(WebSocketFrames, WritesMaskedFrames) {
  EXPECT_EQ(masked(Opcode::text, "Hello"), "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  EXPECT_EQ(masked(Opcode::text, "", false), "\x01\x80\x37\xfa\x21\x3d");
}

TEST(WebSocketFrames, WritesCloseFramesThatTheOtherSideTakes) {
  const auto close_frame = [](std::uint16_t code, std::string_view reason) {
    std::string out;
    append_close_frame(out, code, reason);
    return out;
  };
  EXPECT_EQ(close_frame(1000, ""), "\x88\x02\x03\xE8");
  EXPECT_EQ(close_frame(1005, "ignored"), "\x88\x00"s);
  EXPECT_EQ(close_frame(1001, "bye"), "\x88\x05\x03\xE9"s + "bye");
  EXPECT_EQ(read(close_frame(1000, std::string(123, 'r')), Role::client), std::vector{closing(1000, std::string(123, 'r'))});
  EXPECT_EQ(read(close_frame(1000, std::string(124, 'r')), Role::client), std::vector{closing(1000, std::string(123, 'r'))});
  for (std::size_t before = 118; before <= 123; ++before) {
    const std::string filling(before, 'r');
    const std::string kept = before + 4 <= 123 ? filling + "\xF0\x9F\x98\x80" : filling;
    EXPECT_EQ(read(close_frame(1000, filling + "\xF0\x9F\x98\x80" + "..."), Role::client)[0].payload.substr(0, kept.size()),
              kept);
    EXPECT_EQ(read(close_frame(1000, filling + "\xF0\x9F\x98\x80" + "..."), Role::client)[0].kind, Kind::close) << before;
  }
}

TEST(WebSocketFrames, UnmasksEverySizeFromEveryOffset) {
  for (std::size_t size = 0; size < 80; ++size) {
    for (std::size_t offset = 0; offset < 9; ++offset) {
      for (std::size_t misalignment = 0; misalignment < 8; ++misalignment) {
        std::vector<char> bytes(misalignment + size);
        for (std::size_t i = 0; i < size; ++i) bytes[misalignment + i] = static_cast<char>(i);
        const bool beyond_ascii = unmask(std::span(bytes).subspan(misalignment), kMask, offset);
        ASSERT_EQ(beyond_ascii, std::any_of(bytes.begin() + static_cast<std::ptrdiff_t>(misalignment), bytes.end(),
                                            [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; }));
        char mask[4];
        std::memcpy(mask, &kMask, sizeof mask);
        for (std::size_t i = 0; i < size; ++i) {
          ASSERT_EQ(bytes[misalignment + i], static_cast<char>(static_cast<char>(i) ^ mask[(offset + i) % 4]))
              << size << " " << i;
        }
      }
    }
  }
}

TEST(WebSocketFrames, UnmaskingTellsOfASingleByteBeyondAscii) {
  for (std::size_t size = 1; size < 70; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string bytes(size, 'x');
      unmask(bytes, kMask, 0);
      bytes[at] = static_cast<char>(bytes[at] ^ 0x80);
      ASSERT_TRUE(unmask(bytes, kMask, 0)) << size << " " << at;
      bytes.assign(size, 'x');
      unmask(bytes, kMask, 0);
      ASSERT_FALSE(unmask(bytes, kMask, 0)) << size;
    }
  }
}

}  // namespace
}  // namespace gatehouse::wire
