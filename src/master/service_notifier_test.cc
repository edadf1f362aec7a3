#include "master/service_notifier.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "net/socket.h"

namespace gatehouse::master {
namespace {

/// Stands where systemd stands, at an abstract address.
class ServiceNotifierTest : public testing::Test {
 protected:
  ServiceNotifierTest() : name_("@gatehouse-test-" + std::to_string(getpid())) {
    receiver_ = net::Socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(bind(receiver_.fd(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", name_.c_str(), 1);
  }

  std::string receive() {
    std::array<char, 512> buffer{};
    const ssize_t size = recv(receiver_.fd(), buffer.data(), buffer.size(), 0);
    return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : "";
  }

  std::string name_;
  net::Socket receiver_;
};

TEST_F(ServiceNotifierTest, SaysWhatSdNotifySays) {
  const ServiceNotifier notifier = ServiceNotifier::from_environment();
  EXPECT_TRUE(notifier.is_wanted());
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr) << "children must not see it";
  notifier.ready(4711, "4 of 4\nprocesses");
  EXPECT_EQ(receive(), "READY=1\nMAINPID=4711\nSTATUS=4 of 4 processes\n");
  notifier.reloading();
  EXPECT_EQ(receive().rfind("RELOADING=1\nMONOTONIC_USEC=", 0), 0U);
  notifier.stopping();
  EXPECT_EQ(receive(), "STOPPING=1\n");
  notifier.alive();
  EXPECT_EQ(receive(), "") << "nobody watches";
}

TEST_F(ServiceNotifierTest, TheWatchdogIsMeantForOneProcess) {
  setenv("WATCHDOG_USEC", "2000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  const ServiceNotifier ours = ServiceNotifier::from_environment();
  ASSERT_TRUE(ours.watchdog_timeout().has_value());
  EXPECT_EQ(ours.watchdog_timeout()->count(), 2'000'000);
  ours.alive();
  EXPECT_EQ(receive(), "WATCHDOG=1\n");

  setenv("WATCHDOG_USEC", "2000000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_FALSE(ServiceNotifier::from_environment().watchdog_timeout().has_value());
}

TEST(ServiceNotifier, NobodyWantsToKnow) {
  unsetenv("NOTIFY_SOCKET");
  const ServiceNotifier notifier = ServiceNotifier::from_environment();
  EXPECT_FALSE(notifier.is_wanted());
  notifier.ready(1, "x");
}

}  // namespace
}  // namespace gatehouse::master
