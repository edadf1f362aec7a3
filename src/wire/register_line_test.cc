#include "wire/register_line.h"

#include <gtest/gtest.h>

namespace gatehouse::wire {
namespace {

using Event = RegisterLine::Event;

// Bytes as PHP's json_encode writes the same arrays.
TEST(RegisterLine, WritesUpstreamsBytes) {
  EXPECT_EQ(gateway_connect_line("127.0.0.1:2900", ""),
            "{\"event\":\"gateway_connect\",\"address\":\"127.0.0.1:2900\",\"secret_key\":\"\"}\n");
  EXPECT_EQ(worker_connect_line("a/b\"\\\u4e2d"), "{\"event\":\"worker_connect\",\"secret_key\":\"a\\/b\\\"\\\\\\u4e2d\"}\n");
  EXPECT_EQ(ping_line(), "{\"event\":\"ping\"}\n");
  EXPECT_EQ(broadcast_addresses_line({}), "{\"event\":\"broadcast_addresses\",\"addresses\":[]}\n");
  EXPECT_EQ(broadcast_addresses_line({"10.0.0.1:2900", "10.0.0.2:2901"}),
            "{\"event\":\"broadcast_addresses\",\"addresses\":[\"10.0.0.1:2900\",\"10.0.0.2:2901\"]}\n");
}

std::string without_newline(std::string line) {
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  line.pop_back();
  return line;
}

TEST(RegisterLine, ReadsWhatItWrites) {
  const std::string secret = "s/\"\\\n\u4e2d\U0001F600";
  RegisterLine line = parse_register_line(without_newline(gateway_connect_line("10.0.0.1:2900", secret)));
  EXPECT_EQ(line.event, Event::gateway_connect);
  EXPECT_EQ(line.address, "10.0.0.1:2900");
  EXPECT_EQ(line.secret_key, secret);

  line = parse_register_line(without_newline(worker_connect_line(secret)));
  EXPECT_EQ(line.event, Event::worker_connect);
  EXPECT_EQ(line.secret_key, secret);

  EXPECT_EQ(parse_register_line(without_newline(ping_line())).event, Event::ping);

  const std::vector<std::string> addresses = {"10.0.0.1:2900", "10.0.0.2:2900"};
  line = parse_register_line(without_newline(broadcast_addresses_line(addresses)));
  EXPECT_EQ(line.event, Event::broadcast_addresses);
  EXPECT_EQ(line.addresses, addresses);
}

TEST(RegisterLine, TakesAddressesOfAPhpArrayWithGaps) {
  const RegisterLine line = parse_register_line(R"({"event":"broadcast_addresses","addresses":{"0":"a:1","2":"b:2"}})");
  EXPECT_EQ(line.event, Event::broadcast_addresses);
  EXPECT_EQ(line.addresses, (std::vector<std::string>{"a:1", "b:2"}));
}

TEST(RegisterLine, LeavesMissingFieldsEmpty) {
  RegisterLine line = parse_register_line(R"({"event":"gateway_connect"})");
  EXPECT_EQ(line.event, Event::gateway_connect);
  EXPECT_EQ(line.address, "");
  EXPECT_EQ(line.secret_key, "");
  line = parse_register_line(R"({"event":"worker_connect","secret_key":null})");
  EXPECT_EQ(line.event, Event::worker_connect);
  EXPECT_EQ(line.secret_key, "");
  EXPECT_EQ(parse_register_line(R"({"event":"broadcast_addresses"})").event, Event::broadcast_addresses);
}

TEST(RegisterLine, TellsUnknownFromInvalid) {
  EXPECT_EQ(parse_register_line(R"({"event":"dance"})").event, Event::unknown);
  for (const char* text :
       {"", "{}", "[]", "1", "null", "{\"event\":1}", "{\"event\":\"\"}", "{\"event\":null}", "{\"event\":\"ping\"",
        "{\"event\":\"ping\"}x", "{\"event\":\"gateway_connect\",\"address\":1}",
        "{\"event\":\"gateway_connect\",\"secret_key\":[]}", "{\"event\":\"worker_connect\",\"secret_key\":7}",
        "{\"event\":\"broadcast_addresses\",\"addresses\":\"a:1\"}", "{\"event\":\"broadcast_addresses\",\"addresses\":[1]}",
        "{\"event\":\"ping\xff\"}", "GET / HTTP/1.1"}) {
    EXPECT_EQ(parse_register_line(text).event, Event::invalid) << text;
  }
}

TEST(RegisterLine, RefusesDeepNesting) {
  const std::string head = R"({"event":"ping","x":)";
  EXPECT_EQ(parse_register_line(head + std::string(15, '[') + std::string(15, ']') + "}").event, Event::ping);
  EXPECT_EQ(parse_register_line(head + std::string(16, '[') + std::string(16, ']') + "}").event, Event::invalid);
  EXPECT_EQ(parse_register_line(head + std::string(100'000, '[') + std::string(100'000, ']') + "}").event, Event::invalid);
  EXPECT_EQ(parse_register_line(std::string(100'000, '[')).event, Event::invalid);
}

}  // namespace
}  // namespace gatehouse::wire
