#include "wire/proxy_header.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/bytes.h"

namespace gatehouse::wire {
namespace {

using namespace std::string_literals;

std::string version_2(std::uint8_t command, std::uint8_t family, const std::string& rest) {
  std::string out = "\r\n\r\n\0\r\nQUIT\n"s;
  out += static_cast<char>(command);
  out += static_cast<char>(family);
  char size[2];
  store_be16(size, static_cast<std::uint16_t>(rest.size()));
  return out + std::string(size, 2) + rest;
}

const std::string kFour = "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb"s;  // 192.0.2.1:56324 to 198.51.100.1:443
const std::string kSix =
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s + "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"s + "\xdc\x04\x01\xbb"s;

/// The header in a buffer of exactly its size, shown byte by byte: refused at the earliest, complete with the last byte, and
/// whatever follows is not its business.
ProxyHeader parse(const std::string& bytes) {
  ProxyHeader result;
  std::size_t decided_at = 0;
  for (std::size_t size = 0; size <= bytes.size() && result.status == ProxyStatus::need_more; ++size) {
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    result = parse_proxy_header({exact.data(), exact.size()});
    decided_at = size;
  }
  if (result.status == ProxyStatus::complete) {
    EXPECT_EQ(result.size, decided_at);
  }
  if (result.status != ProxyStatus::need_more) {
    const ProxyHeader longer = parse_proxy_header(bytes + "GET / HTTP/1.1\r\n");
    EXPECT_EQ(longer.status, result.status);
    EXPECT_EQ(longer.size, result.size);
    EXPECT_EQ(longer.address, result.address);
    EXPECT_EQ(longer.port, result.port);
  }
  return result;
}

void expect_client(const std::string& bytes, const char* ip, std::uint16_t port) {
  const ProxyHeader header = parse(bytes);
  EXPECT_EQ(header.status, ProxyStatus::complete) << header.reason;
  EXPECT_EQ(header.size, bytes.size());
  EXPECT_TRUE(header.names_client);
  EXPECT_EQ(header.address, parse_ip(ip)) << ip;
  EXPECT_EQ(header.port, port);
}

void expect_nobody(const std::string& bytes) {
  const ProxyHeader header = parse(bytes);
  EXPECT_EQ(header.status, ProxyStatus::complete) << header.reason;
  EXPECT_EQ(header.size, bytes.size());
  EXPECT_FALSE(header.names_client);
}

TEST(ProxyHeader, Version1) {
  expect_client("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "192.0.2.1", 56324);
  expect_client("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255", 65535);
  expect_client("PROXY TCP6 2001:db8::1 2001:db8::2 0 443\r\n", "2001:db8::1", 0);
  expect_client("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1", 1);
  const std::string longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  expect_client("PROXY TCP6 " + longest + " " + longest + " 65535 65535\r\n", longest.c_str(), 65535);
}

TEST(ProxyHeader, Version1OfNobody) {
  expect_nobody("PROXY UNKNOWN\r\n");
  expect_nobody("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n");
  expect_nobody("PROXY UNKNOWN " + std::string(kMostProxyLine - 16, 'x') + "\r\n");
}

TEST(ProxyHeader, Version1Malformed) {
  for (const std::string& line : {"PROXY \r\n"s,
                                  "PROXY TCP4\r\n"s,
                                  "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n"s,
                                  "PROXY UNKNOWNS\r\n"s,
                                  "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n"s,
                                  "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"s,
                                  "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"s,
                                  "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"s,
                                  "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n"s,
                                  "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n"s,
                                  "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"s,
                                  "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n"s,
                                  "PROXY TCP4 ::1 ::1 1 2\r\n"s,
                                  "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"s,
                                  "PROXY TCP6 ::1 1.2.3.4 1 2\r\n"s,
                                  "PROXY TCP6 [::1] ::1 1 2\r\n"s,
                                  "PROXY TCP4 1.2.3.4 x 1 2\r\n"s,
                                  "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n"s,
                                  "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"s,
                                  "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"s,
                                  "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"s,
                                  "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n"s,
                                  "PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"s,
                                  "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"s,
                                  "PROXY UNKNOWN\n"s,
                                  "PROXY \n"s}) {
    const ProxyHeader header = parse(line);
    EXPECT_EQ(header.status, ProxyStatus::malformed) << line;
    EXPECT_STRNE(header.reason, "");
  }
}

TEST(ProxyHeader, WhatIsNoneIsRefusedWithItsFirstWrongByte) {
  for (const std::string& bytes :
       {"G"s, "p"s, "PA"s, "PROXX"s, "PROXYT"s, "\n"s, "\r\r"s, "\r\n\r\n\r"s, "\x16"s, "\0"s, "\r\n\r\n\0\r\nQUIT\r"s,
        version_2(0x31, 0x11, "").substr(0, 13), version_2(0x22, 0x11, "").substr(0, 13), version_2(0x21, 0x41, "").substr(0, 14),
        version_2(0x21, 0x13, "").substr(0, 14)}) {
    EXPECT_EQ(parse_proxy_header(bytes).status, ProxyStatus::malformed) << bytes;
    EXPECT_EQ(parse_proxy_header(std::string_view(bytes).substr(0, bytes.size() - 1)).status, ProxyStatus::need_more) << bytes;
  }
}

TEST(ProxyHeader, Version2) {
  expect_client(version_2(0x21, 0x11, kFour), "192.0.2.1", 56324);
  expect_client(version_2(0x21, 0x21, kSix), "2001:db8::1", 56324);
  expect_client(version_2(0x21, 0x12, kFour), "192.0.2.1", 56324);
  // With TLVs: an ALPN, a no-op, and one whose length is nonsense, which is not ours to judge.
  expect_client(version_2(0x21, 0x11, kFour + "\x01\0\x02h2"s + "\x04\0\0"s + "\x05\xff\xffX"s), "192.0.2.1", 56324);
  expect_client(version_2(0x21, 0x21, kSix + std::string(500, '\x04')), "2001:db8::1", 56324);
}

TEST(ProxyHeader, Version2OfNobody) {
  expect_nobody(version_2(0x20, 0x00, ""));
  expect_nobody(version_2(0x20, 0x11, ""));  // LOCAL: nothing behind it counts
  expect_nobody(version_2(0x20, 0x11, kFour));
  expect_nobody(version_2(0x21, 0x00, "\x04\0\0"s));
  expect_nobody(version_2(0x21, 0x31, std::string(216, 'u')));
}

TEST(ProxyHeader, Version2TooShortForItsAddresses) {
  EXPECT_EQ(parse(version_2(0x21, 0x11, kFour.substr(1))).status, ProxyStatus::malformed);
  EXPECT_EQ(parse(version_2(0x21, 0x21, kSix.substr(1))).status, ProxyStatus::malformed);
  EXPECT_EQ(parse(version_2(0x21, 0x21, kFour)).status, ProxyStatus::malformed);
  EXPECT_EQ(parse(version_2(0x21, 0x31, std::string(215, 'u'))).status, ProxyStatus::malformed);
  EXPECT_EQ(parse(version_2(0x21, 0x11, "")).status, ProxyStatus::malformed);
}

TEST(ProxyHeader, LengthsAtTheLimitAndOnePastIt) {
  const std::string line = "PROXY UNKNOWN " + std::string(kMostProxyLine - 16, 'x');
  expect_nobody(line + "\r\n");
  EXPECT_EQ(parse_proxy_header(line + "x").status, ProxyStatus::need_more);
  EXPECT_EQ(parse(line + "x\r\n").status, ProxyStatus::too_long);
  EXPECT_EQ(parse("PROXY TCP4 " + std::string(1000, '1')).status, ProxyStatus::too_long);
  const std::string fits = version_2(0x21, 0x11, kFour + std::string(kMostProxyHeader - 16 - 12, 't'));
  ASSERT_EQ(fits.size(), kMostProxyHeader);
  expect_client(fits, "192.0.2.1", 56324);
  const std::string too_long = version_2(0x21, 0x11, kFour + std::string(kMostProxyHeader - 16 - 11, 't'));
  EXPECT_EQ(parse_proxy_header(std::string_view(too_long).substr(0, 15)).status, ProxyStatus::need_more);
  EXPECT_EQ(parse_proxy_header(std::string_view(too_long).substr(0, 16)).status, ProxyStatus::too_long) << "before it has come";
}

}  // namespace
}  // namespace gatehouse::wire
