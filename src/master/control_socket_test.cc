#include "master/control_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

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
  EXPECT_EQ(answer.error().message, "it has not answered within 0.050 s");
  ASSERT_TRUE(kept);
  kept({{"late", true}});
}

// A master that stood still, or was suspended: it finds the question when the time for it is long over.
TEST_F(ControlSocketTest, AQuestionThatWasGivenUpIsNotCarriedOut) {
  auto listener = ControlSocket::open(path_);
  ASSERT_TRUE(listener.has_value());
  const auto given_up = ask_master(path_, "reload", 50);
  ASSERT_FALSE(given_up.has_value());
  EXPECT_EQ(given_up.error().message, "it has not answered within 0.050 s");
  std::vector<std::string> heard;
  const ControlSocket control(loop_, std::move(*listener),
                              [&](const std::string& question, const nlohmann::json&, const ControlSocket::Answer& answer) {
                                heard.push_back(question);
                                answer({{"well", true}});
                              });
  std::thread asker([&] {
    (void)ask_master(path_, "status", 5000);
    loop_.stop_from_any_thread();
  });
  loop_.run();
  asker.join();
  EXPECT_EQ(heard, std::vector<std::string>{"status"});
}

TEST_F(ControlSocketTest, AFullQueueOfOneThatDoesNotAcceptIsATimeLimitToo) {
  const auto listener = ControlSocket::open(path_);
  ASSERT_TRUE(listener.has_value());
  Result<nlohmann::ordered_json> last = failure("never asked");
  for (int i = 0; i < 20; ++i) last = ask_master(path_, "status", 20);
  EXPECT_EQ(last.error().message, "it has not answered within 0.020 s");
  EXPECT_EQ(ControlSocket::owner(path_), 0) << "it is there, and that is all that can be known";
}

TEST_F(ControlSocketTest, OnlyASocketLeftBehindIsReplaced) {
  std::ofstream(path_) << "precious";
  const auto file = ControlSocket::open(path_);
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().message,
            "cannot make the control socket " + path_ +
                ": a file has that name and is left alone; remove it, or choose another name with --control-socket");
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_FALSE(ControlSocket::open(path_).has_value());
  std::filesystem::remove(path_);
  std::filesystem::create_symlink(directory_ + "/elsewhere", path_);
  EXPECT_FALSE(ControlSocket::open(path_).has_value());
  std::filesystem::remove(path_);
  const auto first = ControlSocket::open(path_);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(ControlSocket::owner(path_), getpid());
  const auto second = ControlSocket::open(path_);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message.find("a program listens there (pid " + std::to_string(getpid()) + ")"), std::string::npos);
}

TEST_F(ControlSocketTest, ItsFileIsMadeAgainWhenItWasRemovedAndLeftAloneWhenItIsAnothers) {
  {
    ControlSocket control(loop_, std::move(*ControlSocket::open(path_)),
                          [](const std::string&, const nlohmann::json&, const ControlSocket::Answer&) {});
    EXPECT_FALSE(*control.restore());
    std::filesystem::remove(path_);
    EXPECT_EQ(ControlSocket::owner(path_), std::nullopt);
    EXPECT_TRUE(*control.restore());
    EXPECT_EQ(ControlSocket::owner(path_), getpid());
    EXPECT_FALSE(*control.restore());
    std::filesystem::remove(path_);
    std::ofstream(path_) << "precious";
    EXPECT_FALSE(control.restore().has_value());
  }
  EXPECT_TRUE(std::filesystem::exists(path_)) << "it is not ours to remove";
  std::filesystem::remove(path_);
  {
    const ControlSocket control(loop_, std::move(*ControlSocket::open(path_)),
                                [](const std::string&, const nlohmann::json&, const ControlSocket::Answer&) {});
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlSocketTest, SaysWhenThePathIsTooLong) {
  const auto listener = ControlSocket::open("/tmp/" + std::string(200, 'x'));
  ASSERT_FALSE(listener.has_value());
  EXPECT_NE(listener.error().message.find("--run-dir"), std::string::npos);
}

TEST_F(ControlSocketTest, NobodyListeningIsAFailure) { EXPECT_FALSE(ask_master(path_, "status", 100).has_value()); }

}  // namespace
}  // namespace gatehouse::master
