#include "master/describer.h"

#include <gtest/gtest.h>

#include <csignal>
#include <optional>
#include <string>

namespace gatehouse::master {
namespace {

class DescriberTest : public testing::Test {
 protected:
  DescriberTest() {
    loop_.on_signal(SIGCHLD, [this] { describer_.reap(); });
  }
  /// What came of a shell script as the program; "failed: ..." when nothing did.
  std::string run(const std::string& script, const std::string& program = "/bin/sh") {
    std::optional<std::string> told;
    described_ = {};
    describer_.describe({program, {"sh", "-c", script}, {{"a.toml", "text"}}}, [&](Result<Described> described) {
      EXPECT_FALSE(told.has_value()) << "told twice";
      told = described ? described->description : "failed: " + described.error().message;
      if (described) described_ = std::move(*described);
      loop_.stop();
    });
    if (!told) {
      EXPECT_TRUE(describer_.is_busy());
      const net::TimerId deadline = loop_.after(std::chrono::seconds(20), [this] { loop_.stop(); });
      loop_.run();
      loop_.cancel(deadline);
    }
    EXPECT_FALSE(describer_.is_busy());
    return told.value_or("nothing came");
  }

  net::Loop loop_{Log::silent()};
  Describer describer_{loop_};
  Described described_;
};

TEST_F(DescriberTest, SaysWhatTheProgramSaysAndWhatItHasRead) {
  EXPECT_EQ(run("printf '0 4 desc' >&3; cat /proc/self/fd/4 >&3; echo a warning >&2"), "desc");
  ASSERT_NE(described_.image, nullptr);
  ASSERT_EQ(described_.image->configuration().size(), 1U);
  EXPECT_EQ(described_.image->configuration()[0].path, "a.toml");
  EXPECT_EQ(described_.image->configuration()[0].text, "text");
  EXPECT_GE(described_.image->program_fd(), 0);
  EXPECT_EQ(run("test \"$GATEHOUSE_CHILD\" = describe:0:0 && printf '0 5 again' >&3"), "again");
}

TEST_F(DescriberTest, FailsWithTheLastLineThatItWrote) {
  EXPECT_EQ(run("echo first >&2; echo g.toml:3: wrong >&2; exit 1"), "failed: g.toml:3: wrong");
  EXPECT_EQ(run("exit 4"), "failed: the program ended with exit status 4 when it was asked what it consists of");
  EXPECT_EQ(run("kill -KILL $$"), "failed: the program ended with SIGKILL when it was asked what it consists of");
}

TEST_F(DescriberTest, OneThatDoesNotKnowTheQuestionIsNoAnswer) {
  for (const char* script : {"true", "printf nonsense >&3", "printf '3 4 pathtext' >&3"}) {
    EXPECT_EQ(run(script), "failed: the program did not say what it consists of") << script;
  }
  EXPECT_EQ(run("", "/nonexistent/program"), "failed: cannot execute /nonexistent/program: No such file or directory");
}

TEST_F(DescriberTest, WhatItLeavesBehindIsNotWaitedFor) {
  EXPECT_EQ(run("printf '0 4 desc' >&3; sleep 60 & exit 0"), "desc");
  EXPECT_EQ(run("sleep 60 & echo no >&2; exit 1"), "failed: no");
}

}  // namespace
}  // namespace gatehouse::master
