#include "master/pid_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gatehouse::master {
namespace {

class PidFileTest : public testing::Test {
 protected:
  PidFileTest() {
    std::string pattern = testing::TempDir() + "gatehouse-pid-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/chat.pid";
  }
  ~PidFileTest() override { std::filesystem::remove_all(directory_); }

  PidFile locked() {
    auto file = PidFile::lock(path_);
    EXPECT_TRUE(file.has_value() && file->has_value());
    return std::move(**file);
  }

  std::string directory_;
  std::string path_;
};

TEST_F(PidFileTest, TellsWhoHoldsIt) {
  EXPECT_EQ(PidFile::locked_by(path_), std::nullopt);
  PidFile file = locked();
  EXPECT_EQ(PidFile::locked_by(path_), 0) << "locked, and not written yet";
  ASSERT_TRUE(file.write(4711).has_value());
  EXPECT_EQ(PidFile::locked_by(path_), 4711);
}

TEST_F(PidFileTest, IsHeldByOneOnly) {
  {
    const PidFile file = locked();
    const auto second = PidFile::lock(path_);
    ASSERT_TRUE(second.has_value());
    EXPECT_FALSE(second->has_value());
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
  (void)locked();
}

TEST_F(PidFileTest, AStaleFileBlocksNobodyAndIsNotBelieved) {
  std::ofstream(path_) << "1234567\n";
  EXPECT_EQ(PidFile::locked_by(path_), std::nullopt);
  const PidFile file = locked();
  EXPECT_EQ(PidFile::locked_by(path_), 0) << "the old pid is gone before anybody can read it as the new one";
}

TEST_F(PidFileTest, SaysWhyItCannotBeWritten) {
  const auto file = PidFile::lock(directory_ + "/missing/chat.pid");
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().message.find("chat.pid: No such file or directory"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::master
