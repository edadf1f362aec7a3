#include "master/control_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

namespace gatehouse::master {
namespace {

class ControlSocketTest : public testing::Test {
 protected:
  ControlSocketTest() : loop_(Log("test")) {
    std::string pattern = testing::TempDir() + "gatehouse-control-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/chat.sock";
  }
  ~ControlSocketTest() override { std::filesystem::remove_all(directory_); }

  net::Loop loop_;
  std::string directory_;
  std::string path_;
};

TEST_F(ControlSocketTest, CarriesAQuestionAndItsAnswer) {
  auto listener = ControlSocket::open(path_);
  ASSERT_TRUE(listener.has_value()) << listener.error().message;
  struct stat info{};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);

  const ControlSocket control(loop_, std::move(*listener),
                              [this](const std::string& question, const nlohmann::json&, ControlSocket::Answer answer) {
                                loop_.after(std::chrono::milliseconds(5), [question, answer] { answer({{"asked", question}}); });
                              });
  Result<nlohmann::ordered_json> answer = failure("never asked");
  std::thread asker([&] {
    answer = ask_master(path_, "status", 5000);
    loop_.stop_from_any_thread();
  });
  loop_.run();
  asker.join();
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->dump(), R"({"asked":"status"})");
}

TEST_F(ControlSocketTest, ReplacesAFileLeftBehind) {
  {
    ASSERT_TRUE(ControlSocket::open(path_).has_value());
  }
  EXPECT_TRUE(ControlSocket::open(path_).has_value());
}

TEST_F(ControlSocketTest, AnAnswerToSomebodyWhoLeftIsHarmless) {
  auto listener = ControlSocket::open(path_);
  ASSERT_TRUE(listener.has_value());
  ControlSocket::Answer kept;
  const ControlSocket control(
      loop_, std::move(*listener),
      [&](const std::string&, const nlohmann::json&, ControlSocket::Answer answer) { kept = std::move(answer); });
  Result<nlohmann::ordered_json> answer = failure("never asked");
  std::thread asker([&] {
    answer = ask_master(path_, "status", 50);
    loop_.post([this] { loop_.after(std::chrono::milliseconds(20), [this] { loop_.stop(); }); });
  });
  loop_.run();
  asker.join();
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().message, "it does not answer");
  ASSERT_TRUE(kept);
  kept({{"late", true}});
}

TEST_F(ControlSocketTest, SaysWhenThePathIsTooLong) {
  const auto listener = ControlSocket::open("/tmp/" + std::string(200, 'x'));
  ASSERT_FALSE(listener.has_value());
  EXPECT_NE(listener.error().message.find("--run-dir"), std::string::npos);
}

TEST_F(ControlSocketTest, NobodyListeningIsAFailure) { EXPECT_FALSE(ask_master(path_, "status", 100).has_value()); }

}  // namespace
}  // namespace gatehouse::master
