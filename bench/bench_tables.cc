// The tables that every message or every client goes through: clients by id, groups by name, timers.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/client_table.h"
#include "gateway/directory.h"
#include "net/timer_wheel.h"

namespace {

using namespace gatehouse;

/// A client by its connection id, among so many: what each command of a worker begins with.
void client_found(benchmark::State& state) {
  gateway::ClientTable table(1);
  const auto count = static_cast<std::uint32_t>(state.range(0));
  for (std::uint32_t i = 0; i < count; ++i) table.add();
  std::uint32_t id = 0;
  for (auto _ : state) {
    id = (id + 7919) % count;
    benchmark::DoNotOptimize(table.find(id + 1));
  }
}
BENCHMARK(client_found)->Arg(1'000)->Arg(16'000)->Arg(200'000)->Arg(1'000'000);

/// One comes and one goes, among so many.
void client_comes_and_goes(benchmark::State& state) {
  gateway::ClientTable table(1);
  for (std::int64_t i = 0; i < state.range(0); ++i) table.add();
  for (auto _ : state) table.remove(table.add());
}
BENCHMARK(client_comes_and_goes)->Arg(1'000)->Arg(16'000)->Arg(200'000)->Arg(1'000'000);

/// So many clients, each with a uid of its own.
struct Users {
  explicit Users(std::int64_t count) : directory(table) {
    const std::size_t before = mallinfo2().uordblks;
    for (std::int64_t i = 0; i < count; ++i) directory.bind_uid(table.add(), "user-" + std::to_string(i));
    bytes_each = static_cast<double>(mallinfo2().uordblks - before) / static_cast<double>(count);
  }
  gateway::ClientTable table{1};
  gateway::Directory directory;
  double bytes_each = 0;  // of heap, the client's record included
};

/// A uid is looked up, among so many.
void uid_found(benchmark::State& state) {
  const Users users(state.range(0));
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < 1000; ++i) names.push_back("user-" + std::to_string(i * 7919 % state.range(0)));
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(users.directory.uids().find(names[next]));
    next = (next + 1) % names.size();
  }
  state.counters["bytes"] = users.bytes_each;
}
BENCHMARK(uid_found)->Arg(1)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

/// A client takes another uid, among so many.
void uid_changed(benchmark::State& state) {
  Users users(state.range(0));
  const auto client = static_cast<std::uint32_t>(state.range(0) / 2);
  bool other = false;
  for (auto _ : state) users.directory.bind_uid(client, (other = !other) ? "another" : "and another");
}
BENCHMARK(uid_changed)->Arg(1)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

/// A client comes, takes a uid and goes, among so many.
void uid_comes_and_goes(benchmark::State& state) {
  Users users(state.range(0));
  for (auto _ : state) {
    const std::uint32_t client = users.table.add();
    users.directory.bind_uid(client, "a passer-by");
    users.directory.forget(client);
    users.table.remove(client);
  }
}
BENCHMARK(uid_comes_and_goes)->Arg(1)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

/// A client leaves a group of so many and joins it again.
void group_left_and_joined(benchmark::State& state) {
  gateway::ClientTable table(1);
  gateway::Directory directory(table);
  for (std::int64_t i = 0; i < state.range(0); ++i) directory.join(table.add(), "a room of so many");
  const auto client = static_cast<std::uint32_t>(state.range(0) / 2);
  for (auto _ : state) {
    directory.leave(client, "a room of so many");
    directory.join(client, "a room of so many");
  }
}
BENCHMARK(group_left_and_joined)->Arg(1)->Arg(1'000)->Arg(100'000);

/// One more client in so many groups goes, with all of them.
void client_of_groups_goes(benchmark::State& state) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < state.range(0); ++i) names.push_back("group-" + std::to_string(i));
  gateway::ClientTable table(1);
  gateway::Directory directory(table);
  const std::uint32_t other = table.add();
  for (const std::string& name : names) directory.join(other, name);
  const std::uint32_t client = table.add();
  for (auto _ : state) {
    for (const std::string& name : names) directory.join(client, name);
    directory.forget(client);
  }
}
BENCHMARK(client_of_groups_goes)->Arg(1)->Arg(10)->Arg(1'000);

/// A walk over the members of a group, as a broadcast does it; for each member.
void group_walked(benchmark::State& state) {
  gateway::ClientTable table(1);
  gateway::Directory directory(table);
  for (std::int64_t i = 0; i < state.range(0); ++i) directory.join(table.add(), "room");
  const std::uint32_t list = directory.groups().find("room");
  std::uint64_t sum = 0;
  for (auto _ : state) {
    for (const gateway::Member& member : directory.groups().members(list)) sum += table[member.client].connection.slot;
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(group_walked)->Arg(1'000)->Arg(100'000);

/// A timer starts and is cancelled, beside so many that run.
void timer_started_and_cancelled(benchmark::State& state) {
  net::TimerWheel wheel(0);
  for (std::int64_t i = 0; i < state.range(0); ++i) wheel.after(1'000 + static_cast<std::uint64_t>(i) * 37 % 60'000, [] {});
  for (auto _ : state) wheel.cancel(wheel.after(30'000, [] {}));
}
BENCHMARK(timer_started_and_cancelled)->Arg(0)->Arg(100'000);

/// A millisecond passes, beside so many periodic timers, one of which is due in each.
void timers_advanced(benchmark::State& state) {
  net::TimerWheel wheel(0);
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    wheel.advance(static_cast<std::uint64_t>(i));
    wheel.every(static_cast<std::uint64_t>(state.range(0)), [] {});
  }
  auto now = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) wheel.advance(now++);
}
BENCHMARK(timers_advanced)->Arg(1'000)->Arg(100'000);

}  // namespace
