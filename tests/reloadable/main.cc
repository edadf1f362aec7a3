// A program for tests of reload and of workers' deaths. What it answers with stands at one place of its file, so that a test
// makes a newer program of it by writing another word there.
#include <gatehouse/gatehouse.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace gh = gatehouse;

// Not known to the compiler: read each time, from the file as it is.
extern const volatile char answer_word[];
const volatile char answer_word[] = "THE-ANSWER-IS:first___________";

namespace {

std::string word() {
  std::string text;
  for (std::size_t i = 14; answer_word[i] != '\0' && answer_word[i] != '_'; ++i) text += answer_word[i];
  return text;
}

class Answers : public gh::Events {
 public:
  gh::Task<> on_worker_start(gh::Worker& worker) override {
    if (word_.starts_with("broken") && worker.index() == 0) throw std::runtime_error("this program file is broken");
    if (word_.starts_with("slow")) co_await gh::sleep(std::chrono::milliseconds(500));
    if (word_.starts_with("ending")) _exit(3);
  }

  gh::Task<> on_message(gh::Client& client, gh::Message message) override {
    const std::string_view text = message.text();
    if (text.starts_with("sleep ")) {
      int ms = 0;
      std::from_chars(text.data() + 6, text.data() + text.size(), ms);
      co_await gh::sleep(std::chrono::milliseconds(ms));
    } else if (text.starts_with("until ")) {
      // The test knows that the handler runs, and decides how long.
      const std::filesystem::path file(text.substr(6));
      std::ofstream(file.string() + ".begun").close();
      while (!std::filesystem::exists(file)) co_await gh::sleep(std::chrono::milliseconds(10));
    } else if (text == "abort") {
      std::abort();
    } else if (text == "hang") {
      for (;;) pause();
    } else if (text == "join") {
      client.cluster().join_group(client.id(), "flooded");
    } else if (text.starts_with("flood ")) {
      int kilobytes = 0;
      std::from_chars(text.data() + 6, text.data() + text.size(), kilobytes);
      const std::string payload(1024, 'f');
      for (int i = 0; i < kilobytes; ++i) client.cluster().send_to_group("flooded", payload);
    }
    std::string answer = word_ + " ";
    answer += text;
    if (message.redelivered()) answer += " again";
    client.send(answer);
  }

 private:
  const std::string word_ = word();
};

/// A child that starts slowly: main() waits for as long as there is this file.
void wait_while_there_is(const char* path) {
  while (path != nullptr && std::filesystem::exists(path)) usleep(5000);
}

}  // namespace

int main(int argc, char** argv) {
  wait_while_there_is(std::getenv("GATEHOUSE_TEST_SLOW_START"));  // NOLINT(concurrency-mt-unsafe)
  std::vector<std::string> listen;
  std::string register_address = "127.0.0.1:1336";
  int start_port = 2900;
  int workers = 2;
  std::string workers_file;
  int worker_timeout_ms = 60'000;
  int ping_interval_ms = 0;
  bool deflate = false;

  gh::Application app("reloadable");
  app.option("--listen", listen, "where clients connect, as in text://127.0.0.1:9001; may be given several times");
  app.option("--workers", workers, "worker processes; 0 for gateways and register alone");
  app.option("--workers-file", workers_file, "a file that holds the number of worker processes instead");
  app.option("--register", register_address, "IP:PORT of the register");
  app.option("--start-port", start_port, "inner port of the first gateway process");
  app.option("--worker-timeout-ms", worker_timeout_ms, "how long a worker may be silent");
  app.option("--ping-interval-ms", ping_interval_ms, "clients that are silent for two of these are closed");
  app.option("--deflate", deflate, "compress messages for clients that offer permessage-deflate");
  if (const auto status = app.parse(argc, argv)) return *status;
  if (!workers_file.empty()) {
    try {
      workers = std::stoi(app.read_configuration(workers_file));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      return 1;
    }
  }

  app.add(gh::RegisterOptions{.listen = "text://" + register_address});
  for (std::size_t i = 0; i < listen.size(); ++i) {
    app.add(gh::GatewayOptions{.name = "Gateway" + std::to_string(i),
                               .listen = listen[i],
                               .start_port = start_port + static_cast<int>(i),
                               .register_addresses = {register_address},
                               .ping_interval = std::chrono::milliseconds(ping_interval_ms),
                               .ping_not_response_limit = 1,
                               .deflate = deflate,
                               .worker_timeout = std::chrono::milliseconds(worker_timeout_ms)});
  }
  if (workers > 0) {
    app.add(gh::WorkerOptions{
        .name = "Answers", .count = workers, .events = gh::make_events<Answers>(), .register_addresses = {register_address}});
  }
  return app.run(argc, argv);
}
