#include "net/socket.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace gatehouse::net {
namespace {

class StoppedListener : public ::testing::Test {
 protected:
  // At a port that was asked for by its number, as all of a program are: one that the kernel has chosen is not kept.
  StoppedListener() : endpoint_(free_endpoint()), listener_(listen_tcp(endpoint_).value()) {}

  static Endpoint free_endpoint() {
    const Socket any = listen_tcp(*Endpoint::parse_numeric("127.0.0.1:0")).value();
    return *Endpoint::parse_numeric(local_address(any.fd()).to_string());
  }
  [[nodiscard]] Socket connect() const {
    Socket client(::socket(AF_INET, SOCK_STREAM, 0));
    return ::connect(client.fd(), endpoint_.address(), endpoint_.length()) == 0 ? std::move(client) : Socket();
  }
  [[nodiscard]] Socket accept() const {
    pollfd waiting{.fd = listener_.fd(), .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, 20'000) == 1 ? Socket(::accept(listener_.fd(), nullptr, nullptr)) : Socket();
  }
  /// Whether a client and the one that accepts it can speak.
  [[nodiscard]] bool serves() const {
    const Socket client = connect();
    const Socket accepted = accept();
    char byte = 0;
    return client.valid() && accepted.valid() && ::write(client.fd(), "x", 1) == 1 && ::read(accepted.fd(), &byte, 1) == 1;
  }

  Endpoint endpoint_;
  Socket listener_;
};

TEST_F(StoppedListener, RefusesUntilItListensAgain) {
  EXPECT_TRUE(serves());
  stop_listening(listener_.fd());
  EXPECT_FALSE(connect().valid());
  const Socket other(::socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_NE(::bind(other.fd(), endpoint_.address(), endpoint_.length()), 0) << "its address stays taken";
  listen_again(listener_.fd());
  EXPECT_TRUE(serves());
}

TEST_F(StoppedListener, HasForgottenThatItWasStoppedTwice) {
  stop_listening(listener_.fd());
  stop_listening(listener_.fd());
  listen_again(listener_.fd());
  EXPECT_TRUE(serves());
  // As another process does it in the same moment.
  stop_listening(listener_.fd());
  (void)::shutdown(listener_.fd(), SHUT_RDWR);
  listen_again(listener_.fd());
  EXPECT_TRUE(serves());
}

TEST_F(StoppedListener, WhoWaitsKeepsWaitingWhenItListensAnyway) {
  const Socket client = connect();
  listen_again(listener_.fd());
  EXPECT_TRUE(accept().valid());
}

}  // namespace
}  // namespace gatehouse::net
