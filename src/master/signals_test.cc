#include "master/signals.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>

#include "master/exit_reason.h"

namespace gatehouse::master {
namespace {

/// How a process ends that is sent `signal` after `prepare`. "lives" when the signal does not end it.
std::string fate(const std::function<void()>& prepare, int signal) {
  const pid_t pid = fork();
  if (pid == 0) {
    prepare();
    (void)raise(signal);
    _exit(42);
  }
  int status = 0;
  waitpid(pid, &status, WUNTRACED);
  if (WIFSTOPPED(status)) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return "stopped";
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 42 ? "lives" : describe_exit(status);
}

/// A caller that has set everything as a command does not want it.
void inherit_the_worst() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_IGN);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
}

const std::initializer_list<int> kStraySignals = {SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXFSZ, SIGTTIN, SIGTTOU, SIGPIPE};

TEST(Signals, NoStraySignalEndsAMaster) {
  for (const int signal : kStraySignals) EXPECT_EQ(fate(set_master_signals, signal), "lives") << signal;
  EXPECT_EQ(fate(set_master_signals, SIGRTMIN), "lives");
  EXPECT_EQ(fate(set_master_signals, SIGRTMAX), "lives");
  EXPECT_EQ(fate(set_master_signals, SIGUSR1), "lives") << "it waits for the loop";
  EXPECT_EQ(fate(set_master_signals, SIGTERM), "SIGTERM") << "while it is starting";
}

TEST(Signals, WhatAMasterInheritsIsUndone) {
  const auto prepare = [] {
    inherit_the_worst();
    set_master_signals();
  };
  EXPECT_EQ(fate(prepare, SIGTERM), "SIGTERM");
  EXPECT_EQ(fate(prepare, SIGINT), "SIGINT");
  EXPECT_EQ(fate(prepare, SIGHUP), "lives") << "nohup";
  EXPECT_EQ(fate(set_master_signals, SIGHUP), "SIGHUP");
  const auto wait_for_a_child = [&] {
    prepare();
    const pid_t child = fork();
    if (child == 0) _exit(3);
    int status = 0;
    // With SIGCHLD ignored there would be nothing to wait for.
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 3) _exit(1);
  };
  EXPECT_EQ(fate(wait_for_a_child, SIGPIPE), "lives");
}

TEST(Signals, ACommandIsAsTheSystemMeansIt) {
  const auto prepare = [] {
    inherit_the_worst();
    set_command_signals();
  };
  for (const int signal : {SIGTERM, SIGPIPE, SIGXFSZ, SIGALRM, SIGUSR1}) EXPECT_NE(fate(prepare, signal), "lives") << signal;
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT}) EXPECT_EQ(fate(prepare, signal), "lives") << signal;
  EXPECT_EQ(fate(set_command_signals, SIGINT), "SIGINT");
}

TEST(Signals, OfAChildTheMasterAloneDecides) {
  for (const auto& prepare : {std::function<void()>(set_signals_for_exec), std::function<void()>([] {
                                set_signals_for_exec();
                                set_child_signals();
                              })}) {
    for (const int signal : kStraySignals) EXPECT_EQ(fate(prepare, signal), "lives") << signal;
    for (const int signal : {SIGINT, SIGHUP, SIGQUIT, SIGTSTP, SIGUSR1, SIGUSR2, SIGURG, SIGRTMIN, SIGRTMAX}) {
      EXPECT_EQ(fate(prepare, signal), "lives") << signal;
    }
    EXPECT_EQ(fate(prepare, SIGTERM), "SIGTERM");
  }
}

TEST(Signals, WhatUserCodeStartsHasTheDefaults) {
  const auto prepare = [] {
    set_signals_for_exec();
    set_child_signals();
    execl("/bin/sh", "sh", "-c", "kill -ALRM $$; exit 42", nullptr);
  };
  EXPECT_EQ(fate(prepare, SIGALRM), "SIGALRM");
}

TEST(Signals, AHandlerOfSomebodyElseStays) {
  const auto prepare = [] {
    ::signal(SIGPROF, [](int) { _exit(7); });
    set_master_signals();
    set_child_signals();
    set_command_signals();
  };
  EXPECT_EQ(fate(prepare, SIGPROF), "exit status 7");
}

}  // namespace
}  // namespace gatehouse::master
