#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>

#include "differential/wslay_oracle.h"
#include "wire/websocket_frame.h"

namespace gatehouse::differential {
namespace {

using wire::Opcode;

/// How many streams; WSLAY_STREAMS=1000000 is the long form.
unsigned streams() {
  const char* const wanted = std::getenv("WSLAY_STREAMS");  // NOLINT(concurrency-mt-unsafe): one thread
  return wanted == nullptr ? 20'000U : static_cast<unsigned>(std::strtoul(wanted, nullptr, 10));
}

std::string some_payload(std::mt19937& random) {
  static const std::string kPieces[] = {"hello",
                                        "\xc3\xa9",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "\xff",
                                        "\xed\xa0\x80",
                                        "\x03\xe8"
                                        "bye"};
  std::string payload;
  for (auto i = random() % 4; i > 0; --i) payload += kPieces[random() % std::size(kPieces)];
  if (random() % 10 == 0) payload.resize(random() % 6000, 'x');
  return payload;
}

/// Frames that are right for the most part.
std::string some_stream(std::mt19937& random) {
  static constexpr Opcode kOpcodes[] = {Opcode::text, Opcode::text, Opcode::binary, Opcode::continuation,
                                        Opcode::ping, Opcode::pong, Opcode::close};
  std::string stream;
  for (auto i = random() % 6; i > 0; --i) {
    const std::size_t start = stream.size();
    wire::append_masked_frame(stream, kOpcodes[random() % std::size(kOpcodes)], some_payload(random),
                              static_cast<std::uint32_t>(random()), random() % 4 != 0);
    if (random() % 8 == 0) stream[start + random() % (stream.size() - start)] = static_cast<char>(random());
  }
  if (random() % 10 == 0) stream.resize(random() % (stream.size() + 1));
  return stream;
}

TEST(Wslay, ReadsRandomStreamsAsOursDoes) {
  std::mt19937 random(1);
  unsigned with_messages = 0;
  unsigned refused = 0;
  for (unsigned i = 0; i < streams(); ++i) {
    const std::string stream = some_stream(random);
    ASSERT_EQ(compare(stream), "") << "stream " << i << ": " << ::testing::PrintToString(stream);
    const WebSocketReading reading = read_with_ours(stream);
    with_messages += reading.messages.empty() ? 0 : 1;
    refused += reading.refusal != 0 ? 1 : 0;
  }
  // So that this is a comparison of something.
  EXPECT_GT(with_messages, streams() / 4);
  EXPECT_GT(refused, streams() / 10);
}

TEST(Wslay, AllLengthsAndTheLimit) {
  for (const unsigned size : {0U, 1U, 125U, 126U, 127U, 4095U, 4096U, 4097U, 65535U, 65536U}) {
    std::string stream;
    wire::append_masked_frame(stream, Opcode::binary, std::string(size, 'x'), 0x01020304U);
    EXPECT_EQ(compare(stream), "") << size;
    EXPECT_EQ(read_with_wslay(stream).refusal, size > kMostMessageBytes ? 1009 : 0) << size;
  }
}

}  // namespace
}  // namespace gatehouse::differential
