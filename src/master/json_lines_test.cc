#include "master/json_lines.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "net/loop.h"

namespace gatehouse::master {
namespace {

class JsonLinesTest : public testing::Test {
 protected:
  JsonLinesTest()
      : loop_(Log("test")),
        lines_(
            [this](net::Connection& connection, const nlohmann::json& message) {
              messages_.push_back(message.dump());
              if (message.contains("answer")) JsonLines::send(&connection, {{"answered", message["answer"]}});
            },
            [this](net::Connection&) {
              ended_ = true;
              loop_.stop();
            }) {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    peer_ = net::Socket(ends[0]);
    loop_.adopt(net::Socket(ends[1]), lines_);
    loop_.after(std::chrono::seconds(5), [this] { loop_.stop(); });
  }

  void write(const std::string& text) {
    ASSERT_EQ(::write(peer_.fd(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  net::Loop loop_;
  JsonLines lines_;
  net::Socket peer_;
  std::vector<std::string> messages_;
  bool ended_ = false;
};

TEST_F(JsonLinesTest, SplitsLinesAndAnswers) {
  write("{\"a\":1}\n{\"answer\":2}\n{\"half");
  shutdown(peer_.fd(), SHUT_WR);
  loop_.run();
  EXPECT_EQ(messages_, (std::vector<std::string>{R"({"a":1})", R"({"answer":2})"}));
  EXPECT_TRUE(ended_);
  std::array<char, 64> answer{};
  const ssize_t size = read(peer_.fd(), answer.data(), answer.size());
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(answer.data(), static_cast<std::size_t>(size)), "{\"answered\":2}\n");
}

TEST_F(JsonLinesTest, CutsOffWhoeverSendsNoJsonObject) {
  write("{\"a\":1}\n[1]\n{\"b\":1}\n");
  loop_.run();
  EXPECT_EQ(messages_.size(), 1U);
  EXPECT_TRUE(ended_);
}

TEST_F(JsonLinesTest, CutsOffALineThatNeverEnds) {
  // Piece by piece, for the socket does not hold it all.
  const std::string piece(JsonLines::kMaxLineSize / 16, 'x');
  loop_.every(std::chrono::milliseconds(1), [&] {
    if (!ended_) (void)::send(peer_.fd(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  });
  loop_.run();
  EXPECT_TRUE(messages_.empty());
  EXPECT_TRUE(ended_);
}

TEST(JsonLines, SendingToNobodyIsANoOp) { JsonLines::send(nullptr, {{"a", 1}}); }

}  // namespace
}  // namespace gatehouse::master
