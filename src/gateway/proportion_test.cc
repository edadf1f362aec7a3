// What is done for one client takes as long with 16,000 others as with 1,000: instructions are counted, not time.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/instruction_count_test_support.h"
#include "gateway/parts_test_support.h"
#include "wire/command_ext.h"

namespace gatehouse::gateway {
namespace {

using testing::Parts;
using wire::Command;

constexpr std::uint32_t kFew = 1'000;
constexpr std::uint32_t kMany = 16'000;

/// Clients without sockets, each with a uid, in the group of all, in one of a hundred others and in one of its own.
std::unique_ptr<Parts> crowd(std::uint32_t clients) {
  auto parts = std::make_unique<Parts>();
  for (std::uint32_t id = 1; id <= clients; ++id) {
    const std::uint32_t client = parts->table.add();
    parts->table[client].stage = ClientRecord::Stage::open;
    parts->table[client].announced = true;
    const std::string name = std::to_string(id);
    parts->directory.bind_uid(client, "user-" + name);
    parts->directory.join(client, "all");
    parts->directory.join(client, "room-" + std::to_string(id % 100));
    parts->directory.join(client, "own-" + name);
  }
  return parts;
}

/// In the child process, where a failed expectation would not be heard of.
void run(Parts& parts, Command command, std::uint32_t id, std::string_view ext = {}, std::string_view body = {},
         std::uint8_t flags = wire::flag::kScalar) {
  if (parts.run(command, id, ext, body, flags) != Commands::Outcome::done) std::abort();
}

void ask(Parts& parts, Command command, std::uint32_t id, std::string_view ext = {}) {
  if (parts.ask(command, id, ext).empty()) std::abort();
}

class Proportion : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!gatehouse::testing::count_instructions([] {})) GTEST_SKIP() << "this system lets no process step through its child";
  }

  static std::optional<std::uint64_t> cost(std::uint32_t clients, const std::function<void(Parts&, std::uint32_t id)>& work) {
    static std::map<std::uint32_t, std::unique_ptr<Parts>> crowds;
    auto& parts = crowds[clients];
    if (parts == nullptr) parts = crowd(clients);
    return gatehouse::testing::count_instructions([&] { work(*parts, clients / 2); });
  }

  /// A step for each client would be sixteen times as many; an allocator's moods and a longer way through a hash table are
  /// little.
  static void expect_same(const char* what, const std::function<void(Parts&, std::uint32_t id)>& work) {
    const auto few = cost(kFew, work);
    const auto many = cost(kMany, work);
    ASSERT_TRUE(few && many) << what << " failed";
    std::cout << what << ": " << *few << " instructions among " << kFew << " clients, " << *many << " among " << kMany << '\n';
    EXPECT_LT(*many, *few + *few / 2 + 500) << what;
  }
};

TEST_F(Proportion, OfLeaving) {
  expect_same("to leave a group of all", [](Parts& parts, std::uint32_t id) { run(parts, Command::leave_group, id, "all"); });
  expect_same("to join a group again", [](Parts& parts, std::uint32_t id) {
    run(parts, Command::leave_group, id, "room-" + std::to_string(id % 100));
    run(parts, Command::join_group, id, "room-" + std::to_string((id + 1) % 100));
  });
}

TEST_F(Proportion, OfNames) {
  expect_same("to take another uid",
              [](Parts& parts, std::uint32_t id) { run(parts, Command::bind_uid, id, "another-" + std::to_string(id)); });
}

TEST_F(Proportion, OfClosing) {
  expect_same("to close", [](Parts& parts, std::uint32_t id) {
    parts.clients.depart(parts.table.find(id), {CloseReason::Cause::client_closed, 0, {}});
  });
  expect_same("to close all of one uid",
              [](Parts& parts, std::uint32_t id) { run(parts, Command::kick_uid, 0, "user-" + std::to_string(id), "N;", 0); });
}

TEST_F(Proportion, OfComingAndGoingBesideThoseWhoStay) {
  const auto cost = [](std::uint32_t clients) {
    ClientTable table(1);
    for (std::uint32_t i = 0; i < clients; ++i) table.add();
    // By now the low bits of the ids that follow are again those of clients that have stayed.
    for (int i = 0; i < 20'000; ++i) table.remove(table.add());
    return gatehouse::testing::count_instructions([&] { table.remove(table.add()); });
  };
  const auto few = cost(kFew);
  const auto many = cost(kMany);
  ASSERT_TRUE(few && many);
  EXPECT_LT(*many, *few + *few / 2 + 500);
}

TEST_F(Proportion, OfTheHeartbeat) {
  expect_same("to give a client a heartbeat of its own",
              [](Parts& parts, std::uint32_t id) { run(parts, Command::set_ping_interval, id, "5000"); });
}

TEST_F(Proportion, OfCountingAndAsking) {
  expect_same("to count a group", [](Parts& parts, std::uint32_t) { ask(parts, Command::get_client_count_by_group, 0, "all"); });
  expect_same("to count all", [](Parts& parts, std::uint32_t) { ask(parts, Command::get_client_count_by_group, 0, ""); });
  expect_same("to ask for the clients of a uid",
              [](Parts& parts, std::uint32_t id) { ask(parts, Command::get_client_id_by_uid, 0, "user-" + std::to_string(id)); });
}

TEST_F(Proportion, OfSending) {
  expect_same("to send to one client", [](Parts& parts, std::uint32_t id) { run(parts, Command::send_to_one, id, {}, "hello"); });
  expect_same("to send to one's own group", [](Parts& parts, std::uint32_t id) {
    run(parts, Command::send_to_group, 0, wire::group_target_ext({"own-" + std::to_string(id)}, {}), "hello");
  });
  expect_same("to forward an event", [](Parts& parts, std::uint32_t id) {
    parts.clients.forward(parts.table.find(id), {Command::on_message, "hello"});
  });
}

}  // namespace
}  // namespace gatehouse::gateway
