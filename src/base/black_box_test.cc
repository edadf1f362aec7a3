#include "base/black_box.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace gatehouse {
namespace {

class BlackBoxTest : public testing::Test {
 protected:
  BlackBoxTest() : fd_(memfd_create("test", MFD_CLOEXEC)) { EXPECT_EQ(ftruncate(fd_, BlackBoxPage::kSize), 0); }
  ~BlackBoxTest() override { close(fd_); }

  /// Runs `function` in a process of its own; the status of its end.
  template <class Function>
  int run(Function function) {
    const pid_t pid = fork();
    if (pid == 0) {
      BlackBox box(fd_);
      box.answer_signals();
      function(box);
      _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
  }

  std::string report(const BlackBoxPage& page) const {
    std::string text(page.report_bytes, '\0');
    EXPECT_EQ(pread(fd_, text.data(), text.size(), BlackBoxPage::kSize), static_cast<ssize_t>(text.size()));
    return text;
  }

  int fd_;
};

TEST_F(BlackBoxTest, ShowsWhatRuns) {
  BlackBox ours(fd_);
  BlackBox theirs(fd_);
  {
    const ActivityMark mark(&ours, Activity::on_message, {0x7f000001, 2300, 5});
    EXPECT_EQ(theirs.page().activity, Activity::on_message);
    EXPECT_EQ(theirs.page().handler, 1U);
    EXPECT_EQ(theirs.page().client().gateway_ip, 0x7f000001U);
    EXPECT_EQ(theirs.page().client().gateway_port, 2300);
    EXPECT_EQ(theirs.page().client().connection, 5U);
  }
  EXPECT_EQ(theirs.page().handler, 0U);
  EXPECT_EQ(theirs.page().activity, Activity::none);
  const ActivityMark next(&ours, Activity::timer);
  EXPECT_EQ(theirs.page().handler, 2U);
  {
    const ActivityMark inner(&ours, Activity::task);
    EXPECT_EQ(theirs.page().activity, Activity::timer) << "a task spawned there belongs to it";
  }
  EXPECT_EQ(theirs.page().activity, Activity::timer);
  const ActivityMark nobody(nullptr, Activity::timer);
}

#if !defined(__SANITIZE_ADDRESS__)
TEST_F(BlackBoxTest, ACrashLeavesItsBacktraceAndItsSignal) {
  BlackBox master(fd_);
  const int status = run([](BlackBox& box) {
    box.begin(Activity::on_close, {1, 2, 3});
    volatile int* nowhere = nullptr;
    *nowhere = 1;
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
  EXPECT_EQ(master.page().signal, static_cast<std::uint32_t>(SIGSEGV));
  EXPECT_EQ(master.page().activity, Activity::on_close);
  EXPECT_EQ(master.page().reports, 1U);
  EXPECT_NE(report(master.page()).find("base_test"), std::string::npos) << report(master.page());
}

int exhaust_the_stack(volatile char* above) {
  std::array<volatile char, 16384> here{};
  here[0] = above == nullptr ? '\0' : *above;
  if (here[0] != '\0') return 0;  // never: each takes its first byte from the one before
  return exhaust_the_stack(here.data()) + here[0];
}

TEST_F(BlackBoxTest, AStackOverflowAndAnAbortToo) {
  BlackBox master(fd_);
  int status = run([](BlackBox&) { _exit(exhaust_the_stack(nullptr)); });
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
  EXPECT_EQ(master.page().reports, 1U);
  status = run([](BlackBox&) { std::abort(); });
  EXPECT_EQ(WTERMSIG(status), SIGABRT);
  EXPECT_EQ(master.page().signal, static_cast<std::uint32_t>(SIGABRT));
  EXPECT_EQ(master.page().reports, 2U);
  EXPECT_NE(report(master.page()).find("abort"), std::string::npos) << report(master.page());
  // From outside, too: it does not go on.
  status = run([](BlackBox&) {
    kill(getpid(), SIGSEGV);
    _exit(0);
  });
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
  // A filter of system calls that refuses one; a trap that the compiler has put in.
  for (const int signal : {SIGSYS, SIGTRAP}) {
    status = run([signal](BlackBox&) { (void)raise(signal); });
    EXPECT_EQ(WTERMSIG(status), signal);
    EXPECT_EQ(master.page().signal, static_cast<std::uint32_t>(signal));
  }
}
#endif

TEST_F(BlackBoxTest, ADumpGoesOn) {
  BlackBox master(fd_);
  const int status = run([](BlackBox&) {
    (void)raise(BlackBox::dump_signal());
    (void)raise(BlackBox::dump_signal());
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(master.page().reports, 2U);
  EXPECT_EQ(master.page().signal, 0U);
  EXPECT_FALSE(report(master.page()).empty());
}

}  // namespace
}  // namespace gatehouse
