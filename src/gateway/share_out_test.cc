// How the clients of a worker that was gone are given back, once it or another one is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "gateway/acking_worker_test_support.h"
#include "gateway/gateway_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using wire::Command;
using Strings = std::vector<std::string>;

/// Two workers with four clients each, of which the first one dies; all its clients have spoken to the second one since.
struct AfterADeath {
  AfterADeath() {
    for (int i = 0; i < 8; ++i) clients.push_back(test.client());
    EXPECT_TRUE(
        test.until([&] { return a->events->count(Command::on_connect) == 4 && b->events->count(Command::on_connect) == 4; }));
    finish(*a);
    finish(*b);
    a->die();
    test.settle();
    say_all("during");
    EXPECT_TRUE(test.until([&] { return b->said().size() == 8; }));
  }
  void finish(AckingWorker& worker) {
    worker.finish_all();
    test.settle();
  }
  void say_all(const std::string& words) {
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i]->say(words + std::to_string(i));
  }

  TestGateway test;
  std::unique_ptr<AckingWorker> a = std::make_unique<AckingWorker>(test, "w:0");
  std::unique_ptr<AckingWorker> b = std::make_unique<AckingWorker>(test, "w:1");
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
};

TEST(ShareOut, AWorkerThatComesBackGetsAFairShareOfThoseWhoSpokeMeanwhile) {
  AfterADeath after;
  after.finish(*after.b);
  AckingWorker again(after.test, "w:0");
  after.say_all("then");
  ASSERT_TRUE(after.test.until([&] { return again.said().size() + after.b->said().size() == 16; }));
  EXPECT_EQ(again.said().size(), 4U);
  // And they stay: nobody is moved twice for one death.
  after.finish(*after.b);
  after.finish(again);
  after.say_all("later");
  ASSERT_TRUE(after.test.until([&] { return again.said().size() + after.b->said().size() == 24; }));
  EXPECT_EQ(again.said().size(), 8U);
}

TEST(ShareOut, AClientWithAnUnfinishedEventStaysUntilThatIsFinished) {
  AfterADeath after;
  AckingWorker again(after.test, "w:0");
  after.say_all("then");
  ASSERT_TRUE(after.test.until([&] { return after.b->said().size() == 16; }));
  EXPECT_TRUE(again.said().empty()) << "what they have said before is not finished";
  after.finish(*after.b);
  after.say_all("now");
  ASSERT_TRUE(after.test.until([&] { return again.said().size() + after.b->said().size() == 24; }));
  EXPECT_EQ(again.said().size(), 4U);
}

TEST(ShareOut, ThoseWhoseWorkerNeverWentStayWithIt) {
  AfterADeath after;
  after.finish(*after.b);
  AckingWorker second(after.test, "w:0");
  AckingWorker third(after.test, "w:2");
  after.say_all("then");
  ASSERT_TRUE(after.test.until([&] { return second.said().size() + third.said().size() + after.b->said().size() == 16; }));
  EXPECT_EQ(after.b->said().size(), 12U) << "of its own four all are here";
  EXPECT_EQ(second.said().size(), 2U);
  EXPECT_EQ(third.said().size(), 2U);
}

TEST(ShareOut, OfAWorkerThatDoesNotAcknowledgeNobodyIsMoved) {
  TestGateway test;
  auto a = test.worker("w:0");
  const auto b = test.worker("w:1");
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(test.client());
  ASSERT_TRUE(test.until([&] { return a->count(Command::on_connect) == 4 && b->count(Command::on_connect) == 4; }));
  a->socket.close();
  test.settle();
  for (const auto& client : clients) client->say("during");
  ASSERT_TRUE(test.until([&] { return b->said().size() == 8; }));
  const auto again = test.worker("w:0");
  for (const auto& client : clients) client->say("then");
  ASSERT_TRUE(test.until([&] { return b->said().size() == 16; }));
  EXPECT_TRUE(again->said().empty());
}

}  // namespace
}  // namespace gatehouse::gateway
