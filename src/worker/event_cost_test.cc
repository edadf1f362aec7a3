// What an event costs: this file counts every allocation of the test program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <optional>

#include "link/testing.h"
#include "worker/event_dispatcher.h"
#include "worker/loop_scheduler.h"
#include "worker/testing.h"

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

// Not inlined, for g++ 12 warns about a free() of its own operator new when it sees through only one of the two.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

namespace gatehouse {
namespace {

class EventCost : public ::testing::Test {
 protected:
  /// Allocations of `times` messages to the script, after a few to warm up.
  std::size_t count(int times) {
    link::testing::FakeRegister phone_book(loop_);
    ClusterCalls calls(loop_, ClusterCalls::Settings{.register_addresses = {phone_book.address()}});
    calls.start();
    EXPECT_TRUE(link::testing::run_until(loop_, [&] { return !phone_book.lines.empty(); }));
    link::testing::run_for(loop_, 10);
    Cluster cluster(calls);
    EventDispatcher dispatcher(loop_, calls, cluster, scheduler_, events_);
    const std::string body(1000, 'x');
    const std::string session = R"(a:1:{s:4:"name";s:3:"Tom";})";
    wire::GatewayFrame frame;
    frame.header = {.command = wire::Command::on_message, .local_ip = 0x7f000001, .local_port = 2300};
    frame.ext_data = session;
    frame.body = body;
    std::size_t before = 0;
    for (int i = -10; i < times; ++i) {
      if (i == 0) before = allocations;
      frame.header.connection_id = static_cast<std::uint32_t>(i + 11);
      dispatcher.on_event(frame, true, {});
    }
    EXPECT_EQ(dispatcher.remembered(), 0U);
    return allocations - before;
  }

  net::Loop loop_{Log("event cost test")};
  LoopScheduler scheduler_{loop_};
  testing::Script script_;
  testing::ScriptedEvents events_{script_};
};

TEST_F(EventCost, AHandlerThatIsNoCoroutineAllocatesNothing) {
  script_.on_message = [](Client& client, Message message) -> Task<> {
    client.send(message.text());
    EXPECT_EQ(client.id().size(), 20U);
    return {};
  };
  EXPECT_EQ(count(1000), 0U);
}

TEST_F(EventCost, ACoroutineAllocatesItsFrame) {
  script_.on_message = [](Client& client, Message message) -> Task<> {
    client.send(message.text());
    co_return;
  };
  EXPECT_EQ(count(1000), 1000U);
}

}  // namespace
}  // namespace gatehouse
