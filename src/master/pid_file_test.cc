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

TEST_F(PidFileTest, WhatIsNoPidFileIsLeftAlone) {
  for (const std::string text : {"precious\n", "4711 and more\n", "12345678901234567890123456789012345678901234567890"}) {
    std::ofstream(path_) << text;
    const auto file = PidFile::lock(path_);
    ASSERT_FALSE(file.has_value());
    EXPECT_NE(file.error().message.find("is left alone"), std::string::npos) << file.error().message;
    EXPECT_EQ(std::filesystem::file_size(path_), text.size());
  }
}

// A cleaner of old files, such as systemd-tmpfiles.
TEST_F(PidFileTest, IsMadeAgainWhenItWasRemoved) {
  {
    PidFile file = locked();
    ASSERT_TRUE(file.write(4711).has_value());
    EXPECT_FALSE(*file.restore(4711));
    std::filesystem::remove(path_);
    EXPECT_EQ(PidFile::locked_by(path_), std::nullopt);
    EXPECT_TRUE(*file.restore(4711));
    EXPECT_EQ(PidFile::locked_by(path_), 4711);
    EXPECT_FALSE(*file.restore(4711));
    std::filesystem::remove(path_);
    {
      const PidFile other = locked();
      EXPECT_FALSE(*file.restore(4711)) << "somebody else has just locked it";
    }
    EXPECT_TRUE(*file.restore(4711));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(PidFileTest, SaysWhyItCannotBeWritten) {
  const auto file = PidFile::lock(directory_ + "/missing/chat.pid");
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().message.find("chat.pid: No such file or directory"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::master
