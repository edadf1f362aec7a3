#include "wire/client_id.h"

#include <gtest/gtest.h>
#include <cctype>
#include <cstdio>

#include "wire/test_vectors.h"

namespace gatehouse::wire {
namespace {

std::uint32_t from_dotted(const std::string& text) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  EXPECT_EQ(4, std::sscanf(text.c_str(), "%u.%u.%u.%u", &a, &b, &c, &d));
  return a << 24 | b << 16 | c << 8 | d;
}

TEST(ClientId, AgreesWithUpstream) {
  const auto vectors = load_vectors("gateway_protocol.json").at("client_ids");
  ASSERT_FALSE(vectors.empty());
  for (const auto& vector : vectors) {
    const auto text = vector.at("client_id").get<std::string>();
    const ClientId id{from_dotted(vector.at("local_ip")), vector.at("local_port"), vector.at("connection_id")};
    EXPECT_EQ(format_client_id(id), text);
    EXPECT_EQ(parse_client_id(text), id) << text;
  }
}

TEST(ClientId, TakesUpperCase) { EXPECT_EQ(parse_client_id("7F00000108FC0000000A"), (ClientId{0x7F000001, 0x08FC, 10})); }

TEST(ClientId, RefusesAnythingElse) {
  const std::string good = "7f00000108fc00000008";
  ASSERT_TRUE(parse_client_id(good));
  EXPECT_FALSE(parse_client_id(""));
  EXPECT_FALSE(parse_client_id(good + "0"));
  EXPECT_FALSE(parse_client_id(good.substr(1)));
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = good;
      text[i] = static_cast<char>(byte);
      const bool digit = byte < 128 && std::isxdigit(byte) != 0;
      EXPECT_EQ(parse_client_id(text).has_value(), digit) << i << ' ' << byte;
    }
  }
}

}  // namespace
}  // namespace gatehouse::wire
