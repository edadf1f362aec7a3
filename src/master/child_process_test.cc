#include "master/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "master/exit_reason.h"
#include "net/socket.h"

namespace gatehouse::master {
namespace {

std::string run(const SpawnRequest& request) {
  const Result<pid_t> pid = spawn(request);
  if (!pid) return pid.error().message;
  int status = 0;
  EXPECT_EQ(waitpid(*pid, &status, 0), *pid);
  return describe_exit(status);
}

SpawnRequest shell(const std::string& script) {
  return {.program = "/bin/sh", .arguments = {"sh", "-c", script}, .environment = {"WORD=heron"}, .descriptors = {}};
}

TEST(Spawn, RunsAProgramAndSeesHowItEnds) {
  EXPECT_EQ(run({.program = "/bin/true", .arguments = {"true"}, .environment = {}, .descriptors = {}}), "exit status 0");
  EXPECT_EQ(run(shell("exit 7")), "exit status 7");
  EXPECT_EQ(run(shell("kill -KILL $$")), "SIGKILL");
}

TEST(Spawn, SaysWhyAFileCannotBeExecuted) {
  EXPECT_EQ(run({.program = "/nonexistent/program", .arguments = {"program"}, .environment = {}, .descriptors = {}}),
            "cannot execute /nonexistent/program: No such file or directory");
}

TEST(Spawn, ExecutesAnOpenFileWhateverStandsAtItsPath) {
  const net::Socket shell_file(open("/bin/sh", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(shell_file.valid());
  SpawnRequest request = shell("exit 9");
  request.program = "/nonexistent/program";
  request.program_fd = shell_file.fd();
  request.descriptors = {STDERR_FILENO};
  EXPECT_EQ(run(request), "exit status 9");
}

TEST(Spawn, GivesAStandardErrorOfItsOwn) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const net::Socket reading(ends[0]);
  net::Socket writing(ends[1]);
  SpawnRequest request = shell("printf said >&2; printf seen >&3");
  request.error_fd = writing.fd();
  request.descriptors = {STDERR_FILENO};
  EXPECT_EQ(run(request), "exit status 0");
  writing = net::Socket();
  std::array<char, 16> text{};
  ASSERT_EQ(read(reading.fd(), text.data(), text.size()), 4);
  EXPECT_EQ(std::string(text.data(), 4), "said");
}

TEST(Spawn, GivesTheEnvironmentAndNothingElse) {
  EXPECT_EQ(run(shell("test \"$WORD\" = heron -a -z \"$HOME\"")), "exit status 0");
}

TEST(Spawn, PlacesDescriptorsWhereTheyAreExpected) {
  std::array<int, 2> first{};
  std::array<int, 2> second{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, first.data()), 0);
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, second.data()), 0);
  const net::Socket a(first[0]), a_child(first[1]), b(second[0]), b_child(second[1]);

  // Both orders, so that whatever numbers the sockets have here, one of them is in the other's way.
  for (const bool swapped : {false, true}) {
    SpawnRequest request = shell("printf a >&3; printf b >&4");
    request.descriptors = swapped ? std::vector{b_child.fd(), a_child.fd()} : std::vector{a_child.fd(), b_child.fd()};
    ASSERT_EQ(run(request), "exit status 0");
    char got = 0;
    ASSERT_EQ(read(a.fd(), &got, 1), 1);
    EXPECT_EQ(got, swapped ? 'b' : 'a');
    ASSERT_EQ(read(b.fd(), &got, 1), 1);
    EXPECT_EQ(got, swapped ? 'a' : 'b');
  }
}

TEST(Spawn, LeavesNoOtherDescriptorOpen) {
  const net::Socket inherited(dup(STDERR_FILENO));  // without close-on-exec
  ASSERT_TRUE(inherited.valid());
  const std::string number = std::to_string(inherited.fd());
  EXPECT_EQ(run(shell("test ! -e /proc/$$/fd/" + number)), "exit status 0");
  EXPECT_EQ(run(shell("test \"$(readlink /proc/$$/fd/0)\" = /dev/null")), "exit status 0");
}

// A graceful stop that begins while a child is starting: it would stay until the time for it is over.
TEST(Spawn, AQuitThatComesBeforeTheChildListensIsKept) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const net::Socket ours(ends[0]);
  const net::Socket theirs(ends[1]);
  for (const int signal : {SIGQUIT, SIGURG}) {
    SpawnRequest request =
        shell("read -r line <&3; while read -r key mask; do test $key = ShdPnd: && echo $mask; done </proc/$$/status >&3");
    request.descriptors = {theirs.fd()};
    const Result<pid_t> pid = spawn(request);
    ASSERT_TRUE(pid.has_value());
    ASSERT_EQ(kill(*pid, signal), 0);
    ASSERT_EQ(write(ours.fd(), "go\n", 3), 3);
    std::array<char, 64> answer{};
    ASSERT_GT(read(ours.fd(), answer.data(), answer.size() - 1), 0);
    EXPECT_NE(std::stoull(answer.data(), nullptr, 16) & (1ULL << (signal - 1)), 0U) << signal << ": " << answer.data();
    int status = 0;
    EXPECT_EQ(waitpid(*pid, &status, 0), *pid);
  }
}

TEST(Spawn, ResetsSignals) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ASSERT_EQ(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
  EXPECT_EQ(run(shell("kill -TERM $$; exit 3")), "SIGTERM");
  ASSERT_EQ(sigprocmask(SIG_SETMASK, &before, nullptr), 0);
  EXPECT_EQ(run(shell("kill -INT $$; kill -HUP $$; exit 3")), "exit status 3");
}

}  // namespace
}  // namespace gatehouse::master
