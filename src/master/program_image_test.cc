#include "master/program_image.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gatehouse::master {
namespace {

TEST(ProgramImage, TextsComeBackAsTheyWere) {
  const std::vector<ConfigurationText> texts = {
      {"/etc/a b.toml", "[register]\n"}, {"", ""}, {"12 34 ", std::string("nul \0 and 3 4 numbers", 21)}};
  const auto file = write_configuration(texts);
  ASSERT_TRUE(file);
  for (int round = 0; round < 2; ++round) {
    const auto read = read_configuration(file->fd());
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ((*read)[i].path, texts[i].path);
      EXPECT_EQ((*read)[i].text, texts[i].text);
    }
  }
}

TEST(ProgramImage, NonsenseIsRefused) {
  for (const char* bytes :
       {"x", "1", "1 ", "1 2", "1 2 ", "1 2 ab", "9999999999999999999999 1 a", "1 18446744073709551615 abc"}) {
    auto file = write_configuration({});
    ASSERT_TRUE(file);
    ASSERT_GT(write(file->fd(), bytes, std::char_traits<char>::length(bytes)), 0);
    EXPECT_FALSE(read_configuration(file->fd())) << bytes;
  }
}

TEST(ProgramImage, AFileThatIsReplacedStaysWhatItWas) {
  std::string directory = std::filesystem::temp_directory_path() / "gatehouse-image-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/program";
  std::ofstream(path) << "old";
  const auto image = ProgramImage::open(path, {});
  ASSERT_TRUE(image);
  std::ofstream(directory + "/new") << "new";
  std::filesystem::rename(directory + "/new", path);
  std::string text(3, ' ');
  ASSERT_EQ(pread((*image)->program_fd(), text.data(), text.size(), 0), 3);
  EXPECT_EQ(text, "old");
  std::filesystem::remove_all(directory);
  EXPECT_FALSE(ProgramImage::open(path, {})) << "it is gone";
}

}  // namespace
}  // namespace gatehouse::master
