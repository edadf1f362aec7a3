#include "application/command_line.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace gatehouse {
namespace {

class CommandLineTest : public testing::Test {
 protected:
  CommandLineTest() : settings_{.instance = "chat", .run_dir = "/run/gatehouse"}, line_("chat", settings_) {}

  /// The exit status, or -1 when the program is to go on. What was printed is in out_ and err_.
  int parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "chat");
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const auto status = line_.parse(static_cast<int>(arguments.size()), arguments.data());
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return status.value_or(-1);
  }

  Settings settings_;
  CommandLine line_;
  std::string out_;
  std::string err_;
};

TEST_F(CommandLineTest, OptionsStandBeforeOrAfterTheCommand) {
  std::string room = "lobby";
  line_.option("--room", room, "the room to begin in");
  EXPECT_EQ(parse({"--room", "garden", "start", "-d", "--instance", "second", "--log-level=debug"}), -1);
  EXPECT_EQ(line_.chosen(), "start");
  EXPECT_EQ(room, "garden");
  EXPECT_EQ(settings_.instance, "second");
  EXPECT_EQ(settings_.log_level, "debug");
  EXPECT_TRUE(settings_.daemon);
}

TEST_F(CommandLineTest, OptionsOfEveryKind) {
  int limit = 3;
  bool loud = false;
  std::vector<std::string> rooms;
  line_.option("--limit", limit, "");
  line_.option("--loud", loud, "");
  line_.option("--room", rooms, "");
  EXPECT_EQ(parse({"--room", "a", "start", "--limit", "7", "--loud", "--room", "b"}), -1);
  EXPECT_EQ(limit, 7);
  EXPECT_TRUE(loud);
  EXPECT_EQ(rooms, (std::vector<std::string>{"a", "b"}));
}

TEST_F(CommandLineTest, PatienceBelongsToTheCommandsThatHaveIt) {
  for (const char* command : {"stop", "reload", "restart"}) {
    Settings settings{.instance = "chat", .run_dir = "/run/gatehouse"};
    CommandLine line("chat", settings);
    for (const bool graceful : {false, true}) {
      const std::vector<const char*> arguments = {"chat", command, "--reload-timeout", "2.5", "-g"};
      EXPECT_EQ(line.parse(graceful ? 5 : 4, arguments.data()), std::nullopt);
      EXPECT_EQ(line.chosen(), command);
      EXPECT_EQ(settings.graceful, graceful);
      EXPECT_EQ(settings.reload_timeout(), std::chrono::milliseconds(2500));
    }
  }
  EXPECT_EQ(parse({"status", "-g"}), 1);
}

TEST_F(CommandLineTest, WhatAnOperatorChanges) {
  EXPECT_EQ(parse({"stop", "-g", "web:1", "--graceful-timeout", "7"}), -1);
  EXPECT_EQ(settings_.request.process, "web:1");
  EXPECT_TRUE(settings_.graceful);
  EXPECT_EQ(parse({"start", "4711"}), -1);
  EXPECT_EQ(settings_.request.process, "4711");
  EXPECT_EQ(parse({"log-level", "debug", "--for", "10m", "--run-dir", "/tmp"}), -1);
  EXPECT_EQ(settings_.request.log_level, "debug");
  EXPECT_EQ(settings_.request.time, "10m");
  EXPECT_EQ(parse({"deny", "2001:db8::/32", "1h"}), -1);
  EXPECT_EQ(settings_.request.range, "2001:db8::/32");
  EXPECT_EQ(settings_.request.time, "1h");
  EXPECT_EQ(parse({"deny", "--list", "--json"}), -1);
  EXPECT_TRUE(settings_.request.list);
  EXPECT_EQ(parse({"allow", "192.0.2.0/24"}), -1);
  EXPECT_EQ(settings_.request.range, "192.0.2.0/24");
}

TEST_F(CommandLineTest, TheHelpOfEachCommandSaysWhatItTakes) {
  for (const auto& [command, words] : std::vector<std::pair<const char*, const char*>>{
           {"log-level", "--for"}, {"deny", "--list"}, {"allow", "ADDRESS"}, {"stop", "PROCESS"}, {"start", "PROCESS"}}) {
    EXPECT_EQ(parse({command, "--help"}), 0);
    EXPECT_NE(out_.find(words), std::string::npos) << out_;
  }
}

TEST_F(CommandLineTest, WhatIsWrongIsOneLine) {
  std::string room;
  line_.option("--room", room, "");
  const auto expect = [&](std::vector<const char*> arguments, const std::string& words) {
    EXPECT_EQ(parse(std::move(arguments)), 1) << words;
    EXPECT_NE(err_.find(words), std::string::npos) << err_;
    EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1) << err_;
    EXPECT_EQ(out_, "");
  };
  expect({"start", "--rom", "x"}, "unknown option \"--rom\"; did you mean \"--room\"?");
  expect({"--rom=x", "start"}, "unknown option \"--rom\"; did you mean \"--room\"?");
  expect({"start", "--daemn"}, "did you mean \"--daemon\"?");
  expect({"-d", "start"}, "as in \"chat start -d\"");
  expect({"stat"}, "unknown command \"stat\"; did you mean \"start\"?");
  expect({"start", "now"}, "unexpected argument \"now\"");
  expect({"stop", "-g", "web"}, "unexpected argument \"web\"; a process is called as in status, such as web:1");
  expect({"stop", "web:1", "web:2"}, "unexpected argument \"web:2\"");
  expect({"deny", "192.0.2.1", "1h", "2h"}, "unexpected argument \"2h\"");
  expect({"--for", "10m", "log-level", "debug"}, "as in \"chat log-level --for\"");
  expect({"start", "stop"}, "");
  expect({"start", "--room"}, "--room");
  expect({"start", "--log-level", "loud"}, "--log-level");
  expect({"start", "--stop-timeout", "-1"}, "--stop-timeout");
}

TEST_F(CommandLineTest, HelpEndsWellAndNoCommandDoesNot) {
  EXPECT_EQ(parse({"--help"}), 0);
  for (const char* word : {"start", "stop", "restart", "status", "--instance", "--run-dir", "--stop-timeout"}) {
    EXPECT_NE(out_.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(parse({}), 1);
  EXPECT_NE(out_.find("restart"), std::string::npos);
}

TEST_F(CommandLineTest, CommandsOfTheProgramsOwn) {
  line_.command("check", "look at it", [] { return 7; });
  EXPECT_EQ(parse({"check"}), -1);
  EXPECT_EQ(line_.run_own_command(), 7);
  EXPECT_EQ(parse({"start"}), -1);
  EXPECT_EQ(line_.run_own_command(), std::nullopt);
}

TEST_F(CommandLineTest, AnOptionThatIsThereAlreadyIsAMistakeInTheProgram) {
  std::string value;
  EXPECT_THROW(line_.option("--run-dir", value, ""), std::invalid_argument);
  EXPECT_THROW(line_.option("words", value, ""), std::invalid_argument);
}

}  // namespace
}  // namespace gatehouse
