// A program for tests: its worker fails as its clients say, one word in a message.
#include <gatehouse/gatehouse.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace gh = gatehouse;

namespace {

// The tests look for these names in backtraces, so that they must be functions of their own.
[[gnu::noinline, gnu::noclone]] void write_to_nowhere(volatile int* nowhere) { *nowhere = 1; }

[[gnu::noinline, gnu::noclone]] void work_for_long(std::chrono::milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

// Ends early when a signal comes, as many a library does.
[[gnu::noinline, gnu::noclone]] void wait_for_a_reply(std::chrono::milliseconds duration) {
  (void)poll(nullptr, 0, static_cast<int>(duration.count()));
}

class Failing : public gh::Events {
 public:
  explicit Failing(bool at_start) : at_start_(at_start) {}

  gh::Task<> on_worker_start(gh::Worker& /*worker*/) override {
    if (at_start_) std::abort();
    return {};
  }

  gh::Task<> on_message(gh::Client& client, gh::Message message) override {
    const std::string_view word = message.text();
    if (word == "segv") write_to_nowhere(nullptr);
    if (word == "abort") std::abort();
    if (word == "exit") std::_Exit(7);
    if (word == "closefrom") closefrom(3);
    if (word == "print") std::puts("printed by the worker"), std::fflush(stdout);
    if (word.starts_with("block ")) work_for_long(std::chrono::milliseconds(std::atoi(message.text().data() + 6)));
    if (word.starts_with("wait ")) wait_for_a_reply(std::chrono::milliseconds(std::atoi(message.text().data() + 5)));
    client.send("did " + std::string(word));
    return {};
  }

 private:
  bool at_start_;
};

}  // namespace

int main(int argc, char** argv) {
  int port = 9000;
  int blocked_after_ms = 0;
  int kill_blocked_after_ms = 0;
  bool at_start = false;

  gh::Application app("failing_worker");
  app.option("--port", port, "of the clients; the register and the inner port are the next two");
  app.option("--blocked-after-ms", blocked_after_ms, "WorkerOptions::blocked_after");
  app.option("--kill-blocked-after-ms", kill_blocked_after_ms, "WorkerOptions::kill_blocked_after");
  app.option("--at-start", at_start, "fail in on_worker_start");
  if (const auto status = app.parse(argc, argv)) return *status;

  const std::string register_address = "127.0.0.1:" + std::to_string(port + 1);
  app.add(gh::RegisterOptions{.listen = "text://" + register_address});
  app.add(gh::GatewayOptions{
      .listen = "text://127.0.0.1:" + std::to_string(port), .start_port = port + 2, .register_addresses = {register_address}});
  app.add(gh::WorkerOptions{.events = gh::make_events<Failing>(at_start),
                            .register_addresses = {register_address},
                            // What made it fail is not given to the worker that follows.
                            .delivery = gh::Delivery::at_most_once,
                            .blocked_after = std::chrono::milliseconds(blocked_after_ms),
                            .kill_blocked_after = std::chrono::milliseconds(kill_blocked_after_ms)});
  return app.run(argc, argv);
}
