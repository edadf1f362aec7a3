#include "base/process_title.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace gatehouse {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// In a process of its own, for the title stays. 0 when all is well, else the number of the first check that failed.
template <class Check>
int in_child(Check check) {
  const pid_t pid = fork();
  if (pid == 0) _exit(check());
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ProcessTitle, IsShownHoweverLongItIs) {
  for (const std::size_t length : {std::size_t{3}, std::size_t{100}, std::size_t{10'000}}) {
    EXPECT_EQ(in_child([length] {
                const std::string before = read_file("/proc/self/environ");
                const std::string title = "chat: gateway " + std::string(length, 'x');
                if (!set_process_title(title)) return 1;
                if (read_file("/proc/self/cmdline") != title + '\0') return 2;
                return read_file("/proc/self/environ") == before ? 0 : 3;
              }),
              0)
        << length;
  }
}

TEST(ProcessTitle, LeavesTheHeapAsItIs) {
  EXPECT_EQ(in_child([] {
              std::vector<std::unique_ptr<std::string>> kept;
              for (int i = 0; i < 1000; ++i) kept.push_back(std::make_unique<std::string>(1000, 'a'));
              if (!set_process_title("chat: master")) return 1;
              // Far more than was there before, so that the heap's end has to move.
              for (int i = 0; i < 20'000; ++i) kept.push_back(std::make_unique<std::string>(1000, 'b'));
              for (std::size_t i = 0; i < kept.size(); ++i) {
                if (*kept[i] != std::string(1000, i < 1000 ? 'a' : 'b')) return 2;
              }
              return 0;
            }),
            0);
}

TEST(ProcessTitle, CanBeSetAgain) {
  EXPECT_EQ(in_child([] {
              if (!set_process_title("one") || !set_process_title("another one")) return 1;
              return read_file("/proc/self/cmdline") == std::string("another one") + '\0' ? 0 : 2;
            }),
            0);
}

TEST(ProcessTitle, IsNotSetBesideAnotherThread) {
  EXPECT_EQ(in_child([] {
              const std::string before = read_file("/proc/self/cmdline");
              int pipe_ends[2];
              if (pipe(pipe_ends) != 0) return 1;
              std::thread other([&] {
                char byte = 0;
                (void)!read(pipe_ends[0], &byte, 1);
              });
              const bool set = set_process_title("two");
              close(pipe_ends[1]);
              other.join();
              return !set && read_file("/proc/self/cmdline") == before ? 0 : 2;
            }),
            0);
}

TEST(ProcessName, IsCutAfterFifteenBytes) {
  EXPECT_EQ(in_child([] {
              set_process_name("gh-gateway");
              if (read_file("/proc/self/comm") != "gh-gateway\n") return 1;
              set_process_name("gh-0123456789abcdef");
              return read_file("/proc/self/comm") == "gh-0123456789ab\n" ? 0 : 2;
            }),
            0);
}

}  // namespace
}  // namespace gatehouse
