#include "worker/business_worker.h"

#include <gatehouse/worker.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <stdexcept>

#include "link/testing.h"
#include "wire/client_id.h"
#include "wire/event_ranges.h"
#include "worker/testing.h"

namespace gatehouse {
namespace {

using link::testing::FakeGateway;
using link::testing::FakeRegister;
using link::testing::run_for;
using link::testing::run_until;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using wire::Command;
using namespace std::chrono_literals;

class BusinessWorkerTest : public ::testing::Test {
 protected:
  void start() {
    register_.list = {gateway_.address()};
    WorkerOptions options;
    options.name = "Test";
    options.register_addresses = {register_.address()};
    options.delivery = delivery_;
    options.events = [this]() -> std::unique_ptr<Events> {
      if (make_fails_) throw std::runtime_error("no database");
      return std::make_unique<testing::ScriptedEvents>(script_);
    };
    worker_.emplace(loop_, std::move(options), 3);
    worker_->start([this] { failed_ = true; });
  }
  /// With a gateway that wants to know what has been finished.
  void start_and_acknowledge(std::uint32_t timeout_ms = 0) {
    gateway_.native = true;
    start();
    ASSERT_TRUE(arrives(Command::worker_connect));
    gateway_.hello({.link = 77, .timeout_ms = timeout_ms});
  }
  /// The numbers of the events that were said to be finished, in that order.
  std::vector<std::uint64_t> finished(Command command = Command::finished) {
    std::vector<std::uint64_t> out;
    for (const auto& frame : gateway_.with(command)) {
      EXPECT_EQ(frame.header.connection_id, 77U);
      std::string_view ranges = frame.body;
      wire::EventRange range;
      while (wire::take_event_range(ranges, range)) {
        for (std::uint32_t i = 0; i < range.count; ++i) out.push_back(range.first + i);
      }
    }
    return out;
  }
  bool finishes(std::size_t count) {
    return run_until(loop_, [&] { return finished().size() >= count; });
  }
  void start_and_connect() {
    start();
    ASSERT_TRUE(arrives(Command::worker_connect));
  }
  bool arrives(Command command, std::size_t count = 1) {
    return run_until(loop_, [&] { return gateway_.count(command) >= count; });
  }
  bool stop() {
    bool stopped = false;
    worker_->stop([&] { stopped = true; });
    return run_until(loop_, [&] { return stopped; });
  }

  net::Loop loop_{Log("worker test")};
  FakeRegister register_{loop_};
  FakeGateway gateway_{loop_};
  testing::Script script_;
  std::vector<std::string> seen_;
  Delivery delivery_ = Delivery::at_least_once;
  bool make_fails_ = false;
  bool failed_ = false;
  std::optional<BusinessWorker> worker_;
};

TEST_F(BusinessWorkerTest, TakesEventsOnceOnWorkerStartHasFinished) {
  script_.on_worker_start = [this](Worker& worker) -> Task<> {
    EXPECT_EQ(worker.index(), 3);
    EXPECT_EQ(worker.name(), "Test");
    worker.cluster().send_to_all("hello");
    const std::size_t count = co_await worker.cluster().client_count();
    seen_.push_back(std::to_string(count));
    co_await sleep(20ms);
    EXPECT_EQ(gateway_.count(Command::worker_connect), 0U);
  };
  gateway_.on_frame = [this](const FakeGateway::Received& frame) {
    if (frame.header.command == Command::get_client_count_by_group) gateway_.answer(frame.connection, "i:41;");
  };
  start_and_connect();
  EXPECT_THAT(seen_, ElementsAre("41"));
  EXPECT_EQ(gateway_.with(Command::send_to_all).at(0).body, "hello");
  EXPECT_FALSE(failed_);
  EXPECT_TRUE(run_until(loop_, [this] { return worker_->status().connections == 2; }));
}

TEST_F(BusinessWorkerTest, SaysWhenItCannotStart) {
  make_fails_ = true;
  start();
  EXPECT_TRUE(failed_);
  failed_ = make_fails_ = false;
  script_.on_worker_start = [](Worker&) -> Task<> {
    co_await sleep(1ms);
    throw std::runtime_error("no database");
  };
  start();
  EXPECT_TRUE(run_until(loop_, [this] { return failed_; }));
  run_for(loop_, 20);
  EXPECT_EQ(gateway_.count(Command::worker_connect), 0U);
  EXPECT_EQ(worker_->status().handler_errors, 1U);
}

TEST_F(BusinessWorkerTest, AClientSpeaksAndIsSpokenTo) {
  script_.on_message = [this](Client& client, Message message) -> Task<> {
    seen_ = {client.id(), client.remote_address(), std::to_string(client.remote_port()), client.gateway_address(),
             std::to_string(client.gateway_port())};
    client.send("you said " + std::string(message.text()));
    client.close("bye");
    client.destroy();
    co_return;
  };
  start_and_connect();
  gateway_.event(Command::on_message, 8, {}, "hi");
  ASSERT_TRUE(arrives(Command::destroy));
  EXPECT_THAT(seen_,
              ElementsAre(wire::format_client_id({0x7f000001, gateway_.port(), 8}), "192.168.7.9", "54321", "127.0.0.1", "8282"));
  EXPECT_EQ(gateway_.with(Command::send_to_one).at(0).body, "you said hi");
  EXPECT_EQ(gateway_.with(Command::kick).at(0).body, "bye");
  EXPECT_EQ(worker_->status().messages_in, 1U);
  EXPECT_EQ(worker_->status().messages_out, 3U);
}

TEST_F(BusinessWorkerTest, HandlersThatFailCostNobodyElseAnything) {
  script_.on_message = [this](Client&, Message message) -> Task<> {
    seen_.emplace_back(message.text());
    if (message.text() == "odd") throw 7;
    if (message.text() != "good") throw std::runtime_error("bad message");
    co_return;
  };
  script_.on_connect = [](Client&) -> Task<> { throw std::logic_error("not even a coroutine"); };
  start_and_connect();
  gateway_.event(Command::on_connect, 8, {}, {});
  gateway_.event(Command::on_message, 8, {}, "bad");
  gateway_.event(Command::on_message, 8, {}, "odd");
  gateway_.event(static_cast<Command>(99), 8, {}, "what is this");
  gateway_.event(Command::on_websocket_connect, 8, {}, "not serialized", 0);
  gateway_.event(Command::on_message, 9, {}, "good");
  ASSERT_TRUE(run_until(loop_, [this] { return seen_.size() == 3; }));
  EXPECT_EQ(worker_->status().handler_errors, 3U);
  EXPECT_EQ(worker_->status().messages_in, 5U);
}

TEST_F(BusinessWorkerTest, TimersTasksAndDescriptors) {
  std::array<int, 2> pipe_fds{};
  ASSERT_EQ(pipe(pipe_fds.data()), 0);
  int ticks = 0;
  script_.on_worker_start = [&](Worker& worker) -> Task<> {
    EXPECT_THROW(worker.every(0ms, [] {}), std::invalid_argument);
    EXPECT_THROW(worker.after(0ms, nullptr), std::invalid_argument);
    worker.every(1ms, [&ticks] {
      ++ticks;
      throw std::runtime_error("a timer's");
    });
    worker.cancel(worker.after(1ms, [this] { seen_.emplace_back("cancelled"); }));
    worker.spawn([](std::vector<std::string>& seen) -> Task<> {
      co_await sleep(1ms);
      seen.emplace_back("spawned");
      throw std::runtime_error("a task's");
    }(seen_));
    worker.spawn([]() -> Task<> { co_await sleep(1h); }());
    auto watch = std::make_shared<Worker::WatchId>();
    *watch = worker.watch(pipe_fds[0], {.readable = true}, [this, &worker, watch](Worker::Ready ready) {
      if (ready.readable) seen_.emplace_back("readable");
      worker.unwatch(*watch);
      throw std::runtime_error("a watch's");
    });
    co_return;
  };
  start_and_connect();
  ASSERT_EQ(write(pipe_fds[1], "x", 1), 1);
  ASSERT_TRUE(run_until(loop_, [&] { return ticks >= 3 && seen_.size() == 2; }));
  EXPECT_THAT(seen_, ::testing::UnorderedElementsAre("readable", "spawned"));
  EXPECT_GE(worker_->status().handler_errors, 5U);
  EXPECT_TRUE(stop());
  worker_.reset();
  const int before = ticks;
  run_for(loop_, 20);
  EXPECT_EQ(ticks, before) << "no timer of a worker that is gone";
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST_F(BusinessWorkerTest, StopLetsHandlersFinishAndThenRunsOnWorkerStop) {
  script_.on_message = [this](Client& client, Message message) -> Task<> {
    co_await sleep(50ms);
    client.send(message.text());
    seen_.emplace_back(message.text());
  };
  script_.on_worker_stop = [this](Worker& worker) -> Task<> {
    seen_.emplace_back("stop");
    co_await sleep(5ms);
    worker.cluster().send_to_all("goodbye");
    seen_.emplace_back("stopped");
  };
  start_and_connect();
  gateway_.event(Command::on_message, 8, {}, "1");
  gateway_.event(Command::on_message, 8, {}, "2");
  gateway_.event(Command::on_message, 9, {}, "3");
  ASSERT_TRUE(run_until(loop_, [this] { return worker_->status().messages_in == 3; }));
  ASSERT_TRUE(stop());
  EXPECT_THAT(seen_, ElementsAre("1", "3", "2", "stop", "stopped"));
  EXPECT_EQ(gateway_.count(Command::send_to_one), 3U);
  EXPECT_EQ(gateway_.count(Command::send_to_all), 1U);
  EXPECT_EQ(worker_->status().connections, 0U);
}

TEST_F(BusinessWorkerTest, StopDoesNotWaitForEverForAHandler) {
  bool destroyed = false;
  script_.on_message = [&](Client&, Message) -> Task<> {
    const std::shared_ptr<void> local(nullptr, [&](void*) { destroyed = true; });
    co_await sleep(1h);
  };
  script_.on_worker_stop = [&](Worker&) -> Task<> {
    EXPECT_TRUE(destroyed);
    seen_.emplace_back("stop");
    co_return;
  };
  start_and_connect();
  gateway_.event(Command::on_message, 8, {}, "x");
  ASSERT_TRUE(run_until(loop_, [this] { return worker_->status().messages_in == 1; }));
  EXPECT_TRUE(stop());
  EXPECT_THAT(seen_, ElementsAre("stop"));
}

TEST_F(BusinessWorkerTest, SaysWhatIsFinishedBehindItsCommands) {
  script_.on_message = [](Client& client, Message message) -> Task<> {
    EXPECT_FALSE(message.redelivered());
    if (message.text() == "slow") co_await sleep(30ms);
    client.send(message.text());
    client.session() = {{"said", message.text()}};
    if (message.text() == "bad") throw std::runtime_error("bad");
  };
  start_and_acknowledge();
  gateway_.event(Command::on_message, 8, {}, "slow");
  gateway_.event(Command::on_message, 9, {}, "quick");
  gateway_.event(Command::on_message, 8, {}, "behind it");
  gateway_.event(Command::ping, 0, {}, {});
  gateway_.event(Command::on_message, 10, {}, "bad");
  gateway_.event(Command{99}, 10, {}, "unknown");
  gateway_.event(Command::on_close, 9, {}, {});
  ASSERT_TRUE(finishes(4));
  EXPECT_THAT(finished(), ElementsAre(1, 3, 4, 5)) << "all but the ping counts";
  gateway_.on_frame = [this](const FakeGateway::Received& frame) {
    if (frame.header.command == Command::get_session_by_client_id)
      gateway_.answer(frame.connection, "a:1:{s:4:\"said\";s:1:\"x\";}");
  };
  ASSERT_TRUE(finishes(6));
  EXPECT_THAT(finished(), ElementsAre(1, 3, 4, 5, 0, 2));
  // On the connection of the commands, and behind those of the handler.
  std::vector<std::string> order;
  for (const auto& frame : gateway_.frames) {
    if (frame.connection != gateway_.commands()) continue;
    if (frame.header.command == Command::send_to_one) order.push_back(frame.body);
    // Which one depends on what the handler has changed, and on what the gateway knows.
    const bool saves = frame.header.command == Command::set_session || frame.header.command == Command::update_session ||
                       frame.header.command == Command::merge_session;
    if (saves) order.emplace_back("saved");
    if (frame.header.command == Command::finished) order.emplace_back("finished");
  }
  EXPECT_THAT(order,
              ElementsAre("quick", "saved", "bad", "finished", "slow", "saved", "finished", "behind it", "saved", "finished"));
}

TEST_F(BusinessWorkerTest, TellsHandlersWhatIsRedeliveredAndTheGatewayThatItBegins) {
  script_.on_message = [this](Client&, Message message) -> Task<> {
    seen_.push_back(message.redelivered() ? "again" : "new");
    return {};
  };
  start_and_acknowledge();
  for (const std::uint8_t flag : {wire::flag::kRedelivered, wire::flag::kRedelivered, std::uint8_t{0}}) {
    gateway_.event(Command::on_message, 8, {}, "x", static_cast<std::uint8_t>(wire::flag::kScalar | flag));
  }
  ASSERT_TRUE(finishes(3));
  EXPECT_THAT(seen_, ElementsAre("again", "again", "new"));
  EXPECT_THAT(finished(Command::begun), ElementsAre(0, 1));
  std::vector<Command> order;
  for (const auto& frame : gateway_.frames) order.push_back(frame.header.command);
  order.erase(order.begin(), order.end() - 5);
  EXPECT_THAT(order, ElementsAre(Command::begun, Command::finished, Command::begun, Command::finished, Command::finished));
}

TEST_F(BusinessWorkerTest, AGatewayThatDoesNotAskIsToldNothing) {
  start_and_connect();
  gateway_.hello();
  gateway_.event(Command::on_message, 8, {}, "x", wire::flag::kScalar | wire::flag::kRedelivered);
  ASSERT_TRUE(run_until(loop_, [this] { return worker_->status().messages_in == 1; }));
  run_for(loop_, 10);
  EXPECT_EQ(gateway_.count(Command::finished) + gateway_.count(Command::begun), 0U);
}

TEST_F(BusinessWorkerTest, ShowsThatItLives) {
  start_and_acknowledge(60);
  EXPECT_TRUE(arrives(Command::ping, 3));
}

TEST_F(BusinessWorkerTest, LosingTheCommandsItLetsGoOfTheEvents) {
  script_.on_message = [](Client&, Message) -> Task<> { co_await sleep(50ms); };
  start_and_acknowledge();
  gateway_.event(Command::on_message, 8, {}, "x");
  ASSERT_TRUE(run_until(loop_, [this] { return worker_->status().messages_in == 1; }));
  loop_.find(gateway_.commands())->destroy();
  ASSERT_TRUE(arrives(Command::worker_connect, 2)) << "the gateway is to give its events to somebody";
  gateway_.hello({.link = 77});
  gateway_.event(Command::on_message, 8, {}, "y");
  ASSERT_TRUE(finishes(1));
  EXPECT_THAT(finished(), ElementsAre(0)) << "the first one is of a connection that is gone";
}

TEST_F(BusinessWorkerTest, LeavesAndFinishesWhatItHas) {
  script_.on_message = [this](Client& client, Message message) -> Task<> {
    co_await sleep(30ms);
    client.send(message.text());
    seen_.emplace_back(message.text());
  };
  start_and_acknowledge();
  gateway_.event(Command::on_message, 8, {}, "1");
  gateway_.event(Command::on_message, 8, {}, "2");
  gateway_.on_frame = [this](const FakeGateway::Received& frame) {
    // What was on its way when the gateway read this.
    if (frame.header.command == Command::leaving) gateway_.event(Command::on_message, 9, {}, "3");
    net::Connection* events = finished().size() == 3 ? loop_.find(gateway_.events()) : nullptr;
    if (events != nullptr) events->close();
  };
  ASSERT_TRUE(run_until(loop_, [this] { return worker_->status().messages_in == 2; }));
  ASSERT_TRUE(stop());
  // Of one client in order; that of the other comes whenever the gateway has read that the worker leaves.
  EXPECT_THAT(seen_, AnyOf(ElementsAre("3", "1", "2"), ElementsAre("1", "3", "2"), ElementsAre("1", "2", "3")));
  EXPECT_EQ(gateway_.count(Command::leaving), 1U);
  EXPECT_EQ(gateway_.with(Command::leaving).at(0).connection, gateway_.events());
  EXPECT_EQ(gateway_.count(Command::send_to_one), 3U);
}

// At most once, whatever is under way when it stops waiting is nobody's.
TEST_F(BusinessWorkerTest, LeavingInPeaceItWaitsForAGatewayThatIsSlow) {
  script_.on_message = [this](Client&, Message message) -> Task<> {
    seen_.emplace_back(message.text());
    return {};
  };
  delivery_ = Delivery::at_most_once;
  start_and_acknowledge();
  ASSERT_TRUE(run_until(loop_, [this] { return worker_->status().connections == 2; }));
  gateway_.event(Command::on_message, 8, {}, "1");
  ASSERT_TRUE(finishes(1));
  bool stopped = false;
  worker_->stop_gracefully([&] { stopped = true; });
  ASSERT_TRUE(arrives(Command::leaving));
  run_for(loop_, 700);
  EXPECT_FALSE(stopped);
  gateway_.event(Command::on_message, 8, {}, "2");
  ASSERT_TRUE(finishes(2));
  loop_.find(gateway_.events())->close();
  ASSERT_TRUE(run_until(loop_, [&] { return stopped; }));
  EXPECT_THAT(seen_, ElementsAre("1", "2"));
}

TEST_F(BusinessWorkerTest, PreparesWithoutTakingEventsThenServes) {
  script_.on_worker_start = [](Worker&) -> Task<> { co_await sleep(20ms); };
  gateway_.native = true;
  register_.list = {gateway_.address()};
  WorkerOptions options;
  options.name = "Test";
  options.register_addresses = {register_.address()};
  options.events = [this] { return std::make_unique<testing::ScriptedEvents>(script_); };
  worker_.emplace(loop_, std::move(options), 3, 2);
  bool ready = false;
  bool serving = false;
  worker_->prepare([this] { failed_ = true; }, [&] { ready = true; });
  ASSERT_TRUE(run_until(loop_, [&] { return ready; }));
  EXPECT_EQ(worker_->status().connections, 1U);
  EXPECT_EQ(gateway_.count(Command::worker_connect), 0U);
  worker_->serve([&] { serving = true; });
  ASSERT_TRUE(arrives(Command::worker_connect));
  wire::ConnectBody body;
  ASSERT_TRUE(wire::parse_connect_body(gateway_.with(Command::worker_connect)[0].body, body));
  EXPECT_EQ(body.worker_key, "Test:3~2");
  EXPECT_EQ(body.delivery, wire::Delivery::at_least_once);
  run_for(loop_, 30);
  EXPECT_FALSE(serving);
  gateway_.hello({.link = 77});
  ASSERT_TRUE(run_until(loop_, [&] { return serving; }));
}

TEST_F(BusinessWorkerTest, SaysWhyItFails) {
  script_.on_worker_start = [](Worker&) -> Task<> {
    co_await sleep(5ms);
    throw std::runtime_error("no database");
  };
  start();
  ASSERT_TRUE(run_until(loop_, [this] { return failed_; }));
  EXPECT_EQ(worker_->failure(), "on_worker_start failed: no database");
}

TEST_F(BusinessWorkerTest, PatienceCanBeLost) {
  script_.on_message = [](Client&, Message) -> Task<> { co_await sleep(1h); };
  start_and_connect();
  gateway_.event(Command::on_message, 8, {}, "x");
  ASSERT_TRUE(run_until(loop_, [this] { return worker_->status().messages_in == 1; }));
  bool stopped = false;
  worker_->stop_gracefully([&] { stopped = true; });
  run_for(loop_, 2200);
  EXPECT_FALSE(stopped);
  worker_->stop([] { FAIL() << "who called first is called back"; });
  ASSERT_TRUE(run_until(loop_, [&] { return stopped; }, 1800)) << "the two seconds have passed";
}

TEST_F(BusinessWorkerTest, StopsAlsoWhileItStarts) {
  script_.on_worker_start = [](Worker&) -> Task<> { co_await sleep(1h); };
  script_.on_worker_stop = [this](Worker&) -> Task<> {
    seen_.emplace_back("stop");
    co_return;
  };
  start();
  run_for(loop_, 10);
  EXPECT_TRUE(stop());
  EXPECT_TRUE(seen_.empty()) << "what has not started is not stopped";
}

TEST_F(BusinessWorkerTest, MayBeGoneInTheMiddleOfEverything) {
  script_.on_worker_start = [](Worker& worker) -> Task<> {
    worker.spawn([](Cluster& cluster) -> Task<> { co_await cluster.client_count(); }(worker.cluster()));
    co_return;
  };
  script_.on_message = [](Client& client, Message) -> Task<> { co_await client.cluster().client_ids(); };
  start_and_connect();
  gateway_.event(Command::on_message, 8, {}, "x");
  ASSERT_TRUE(arrives(Command::select));
  worker_.reset();
  EXPECT_TRUE(run_until(loop_, [this] { return gateway_.connection_count() == 0; }));
  run_for(loop_, 10);
}

}  // namespace
}  // namespace gatehouse
