#include "wire/spoken_protocol.h"

#include <gtest/gtest.h>

#include <string>

#include "wire/gateway_protocol.h"
#include "wire/register_line.h"

namespace gatehouse::wire {
namespace {

TEST(SpokenProtocol, IsRecognizedByTheFirstBytes) {
  EXPECT_EQ(recognize_protocol(std::string_view("\x16\x03\x01\x02\x00\x01", 6)), SpokenProtocol::tls);
  EXPECT_EQ(recognize_protocol(std::string_view("\x15\x03\x03\x00\x02\x02\x46", 7)), SpokenProtocol::tls);
  EXPECT_EQ(recognize_protocol("GET / HTTP/1.1\r\n"), SpokenProtocol::http);
  EXPECT_EQ(recognize_protocol("HTTP/1.1 400 Bad Request\r\n"), SpokenProtocol::http);
  EXPECT_EQ(recognize_protocol(worker_connect_line("")), SpokenProtocol::register_);
  EXPECT_EQ(recognize_protocol(broadcast_addresses_line({})), SpokenProtocol::register_);
  for (const Command command : {Command::worker_connect, Command::gateway_client_connect}) {
    std::string frame;
    append_gateway_frame(frame, {.command = command}, {}, gateway_client_connect_body("s"));
    EXPECT_EQ(recognize_protocol(frame), SpokenProtocol::inner_frame);
  }
  for (const std::string_view other :
       {std::string_view(), std::string_view("\x16\x03", 2), std::string_view("hello world"),
        std::string_view("\x16\x04\x01\x02\x00", 5), std::string_view("{\"a\":1}"), std::string_view("\0\0\0\x1c\x05", 5)}) {
    EXPECT_EQ(recognize_protocol(other), SpokenProtocol::unknown);
  }
  EXPECT_EQ(name_of(SpokenProtocol::tls), "TLS");
  EXPECT_EQ(name_of(SpokenProtocol::unknown), "");
}

}  // namespace
}  // namespace gatehouse::wire
