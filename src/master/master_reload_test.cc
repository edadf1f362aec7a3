// Master::reload: what processes that stay are given, what is started, and what is taken back.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "master/master.h"

namespace gatehouse::master {
namespace {

using std::chrono::milliseconds;

/// A gateway that writes down the settings that it is given, and cannot use those with "bad" in them.
std::string taking_settings(const std::string& file) {
  return R"(echo '{"ready":true}' >&3
while :; do
  if ! read -r line <&3; then sleep 0.02; continue; fi
  id=$(echo "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
  case "$line" in
    *bad*) echo "{\"id\":$id,\"answer\":{\"error\":\"it is bad\"}}" >&3 ;;
    *configure*) echo "$line" >> )" +
         file + R"(; echo "{\"id\":$id,\"answer\":{\"ok\":true}}" >&3 ;;
  esac
done)";
}

class MasterReloadTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    master_ = std::make_unique<Master>(loop_,
                                       Master::Options{.name = "test",
                                                       .processes = {gateway("g", R"({"v":1})")},
                                                       .program = "/bin/sh",
                                                       .arguments = {"sh", "-c", taking_settings(file())}},
                                       Master::Callbacks{.on_started = [this](const StartOutcome&) { loop_.stop(); },
                                                         .on_stopped =
                                                             [this] {
                                                               stopped_ = true;
                                                               loop_.stop();
                                                             }});
    loop_.on_signal(SIGCHLD, [this] { master_->reap(); });
    loop_.after(std::chrono::seconds(20), [this] { loop_.stop(); });
    master_->start();
    loop_.run();
  }
  void TearDown() override {
    master_->stop();
    // A reload that is answered at once has stopped the loop before it runs.
    for (int i = 0; i < 2 && !stopped_; ++i) loop_.run();
    EXPECT_TRUE(stopped_);
    std::filesystem::remove_all(directory_);
  }
  static ProcessSpec gateway(const std::string& name, const std::string& settings, int count = 1) {
    return {.role = "gateway", .name = name, .listening = "", .reference = "gateway:0", .count = count, .settings = settings};
  }
  [[nodiscard]] std::string file() const { return directory_ + "/taken"; }
  [[nodiscard]] std::string taken() const {
    std::ifstream stream(file());
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
  }
  ReloadOutcome reload(std::vector<ProcessSpec> specs) {
    std::optional<ReloadOutcome> told;
    Master::ReloadRequest request{.image = *ProgramImage::open("/bin/sh", {}), .specs = std::move(specs)};
    request.on_decided = [this] { ++decided_; };
    master_->reload(std::move(request), [&](const ReloadOutcome& outcome) {
      told = outcome;
      loop_.stop();
    });
    if (!told) loop_.run();
    EXPECT_TRUE(told.has_value());
    return told.value_or(ReloadOutcome{});
  }

  const SupervisedProcess& process(std::size_t place = 0) { return master_->processes().at(place); }

  net::Loop loop_{Log::silent()};
  std::unique_ptr<Master> master_;
  bool stopped_ = false;
  std::string directory_ = std::filesystem::temp_directory_path() / "gatehouse-master-XXXXXX";
  int decided_ = 0;
};

TEST_F(MasterReloadTest, ThoseThatStayAreGivenWhatIsNew) {
  const pid_t pid = process().pid;
  const ReloadOutcome outcome = reload({gateway("g", R"({"v":2})"), gateway("more", R"({"v":3})", 2)});
  EXPECT_EQ(outcome.failure, "");
  EXPECT_EQ(outcome.added, 2U);
  EXPECT_EQ(decided_, 1);
  EXPECT_NE(taken().find(R"("settings":{"v":2})"), std::string::npos) << taken();
  ASSERT_EQ(master_->processes().size(), 3U);
  EXPECT_EQ(process(0).pid, pid);
  EXPECT_EQ(process(2).label(), "gateway more:1");
  EXPECT_EQ(reload({gateway("g", R"({"v":2})", 2)}).added, 1U) << "more of one that there is; nobody leaves by not being named";
  EXPECT_EQ(master_->processes().size(), 4U);
}

TEST_F(MasterReloadTest, WhatOneCannotUseIsTakenBackFromAll) {
  const ReloadOutcome outcome = reload({gateway("g", R"({"v":"bad"})"), gateway("more", R"({"v":3})")});
  EXPECT_EQ(outcome.failure, "gateway g:0: it is bad");
  EXPECT_EQ(decided_, 0);
  EXPECT_EQ(master_->processes().size(), 1U) << "nothing has been started";
  const net::TimerId look = loop_.every(milliseconds(5), [this] {
    if (!taken().empty()) loop_.stop();
  });
  loop_.run();
  loop_.cancel(look);
  EXPECT_NE(taken().find(R"("settings":{"v":1})"), std::string::npos) << "what it had before: " << taken();
  EXPECT_EQ(process().spec->settings, R"({"v":1})");
}

}  // namespace
}  // namespace gatehouse::master
