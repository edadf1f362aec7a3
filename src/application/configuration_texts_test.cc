#include "application/configuration_texts.h"

#include <gatehouse/application.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace gatehouse {
namespace {

class ConfigurationTextsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(directory_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/" + name) << text;
    return directory_ + "/" + name;
  }
  std::string directory_ = std::filesystem::temp_directory_path() / "gatehouse-texts-XXXXXX";
};

TEST_F(ConfigurationTextsTest, AFileIsReadOnce) {
  const std::string path = write("g.toml", "first");
  ConfigurationTexts texts;
  EXPECT_EQ(texts.read(path), "first");
  write("g.toml", "second");
  EXPECT_EQ(texts.read(path), "first");
  ASSERT_EQ(texts.texts().size(), 1U);
  EXPECT_EQ(texts.texts()[0].path, path);
}

TEST_F(ConfigurationTextsTest, AChildReadsWhatItsMasterRead) {
  const std::string path = write("g.toml", "now");
  auto inherited = master::write_configuration({{path, "then"}, {"", "settings"}});
  ASSERT_TRUE(inherited);
  ConfigurationTexts texts;
  texts.inherit(inherited->release());
  EXPECT_EQ(texts.read(path), "then");
  EXPECT_EQ(texts.settings(), "settings");
  EXPECT_EQ(texts.texts().size(), 1U);
  const std::string other = write("other", "more");
  EXPECT_EQ(texts.read(other), "more") << "one that the master did not know of";
}

TEST_F(ConfigurationTextsTest, SaysWhyAFileCannotBeRead) {
  ConfigurationTexts texts;
  try {
    (void)texts.read(directory_ + "/missing");
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENOENT);
  }
  EXPECT_THROW((void)texts.read(directory_), std::system_error);
  EXPECT_TRUE(texts.texts().empty());
}

TEST_F(ConfigurationTextsTest, OneThatIsTooLongIsRefused) {
  ConfigurationTexts texts;
  EXPECT_EQ(texts.read(write("most", std::string(Application::kMaxConfigurationSize, '#'))).size(),
            Application::kMaxConfigurationSize);
  EXPECT_THROW((void)texts.read(write("more", std::string(Application::kMaxConfigurationSize + 1, '#'))), std::runtime_error);
}

}  // namespace
}  // namespace gatehouse
