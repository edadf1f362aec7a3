#include "base/log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace gatehouse {
namespace {

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    std::string folder = (std::filesystem::temp_directory_path() / "log_testXXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = folder;
  }
  ~LogTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path() const { return (folder_ / "test.log").string(); }
  [[nodiscard]] std::string text() const {
    std::ifstream file(path(), std::ios::binary);
    std::stringstream all;
    all << file.rdbuf();
    return all.str();
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::istringstream stream(text());
    for (std::string line; std::getline(stream, line);) all.push_back(line);
    return all;
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(LogTest, ALineHasTimeLevelProcessPidAndWords) {
  const Log log = Log::to_file(path(), "gateway web:0");
  log.info("listening on {}:{}", "0.0.0.0", 7272);
  ASSERT_EQ(lines().size(), 1U);
  const std::string line = lines()[0];
  EXPECT_EQ(line.substr(23), " info    gateway web:0 [" + std::to_string(getpid()) + "] listening on 0.0.0.0:7272");
  EXPECT_EQ(line[10], ' ');
  EXPECT_EQ(line[19], '.');
}

TEST_F(LogTest, LevelsBelowTheChosenOneAreSilent) {
  Log log = Log::to_file(path(), "p");
  log.debug("no {}", 1);
  log.set_level(LogLevel::warning);
  log.info("no {}", 2);
  log.warning("yes");
  log.error("yes");
  EXPECT_EQ(lines().size(), 2U);
  log.set_level(LogLevel::debug);
  log.debug("yes");
  EXPECT_EQ(lines().size(), 3U);
}

TEST_F(LogTest, AppendsToWhatIsThere) {
  Log::to_file(path(), "p").info("one");
  Log::to_file(path(), "p").info("two");
  EXPECT_EQ(lines().size(), 2U);
}

TEST_F(LogTest, AFileThatCannotBeOpenedIsOneSentence) {
  try {
    (void)Log::to_file("/dev/null/no-folder/log", "p");
    FAIL() << "must throw";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("/dev/null/no-folder/log"), std::string::npos) << error.what();
  }
}

TEST_F(LogTest, NoMessageCanForgeALine) {
  const Log log = Log::to_file(path(), "p");
  log.info("{}", "first\n2026-11-21 10:00:00.000 error   gateway forged");
  log.info("{}", "cr\rbell\x07 escape\x1b[31m nul" + std::string(1, '\0') + "del\x7f tab\t");
  log.info("{}", "c1 \xc2\x9b[31m raw \x9b[31m");
  const auto all = lines();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[1].substr(0, 8), "    2026") << "continued lines are indented";
  EXPECT_NE(all[2].find("cr\\x0dbell\\x07 escape\\x1b[31m nul\\x00del\\x7f tab\\x09"), std::string::npos) << all[2];
  EXPECT_NE(all[3].find("c1 \\xc2\\x9b[31m raw \\x9b[31m"), std::string::npos) << all[3];
}

TEST_F(LogTest, FormatSignsInMessagesAndNamesMeanNothing) {
  Log log = Log::to_file(path(), "100%v %n{}");
  log.info("{}", "{} {0} %v %P {not a format}");
  EXPECT_NE(text().find(" 100%v %n{} ["), std::string::npos);
  EXPECT_NE(text().find("] {} {0} %v %P {not a format}\n"), std::string::npos);
  log.set_format(LogFormat::json);
  log.info("{}", "{} %v");
  const auto json = nlohmann::json::parse(lines()[1]);
  EXPECT_EQ(json["process"], "100%v %n{}");
  EXPECT_EQ(json["message"], "{} %v");
}

TEST_F(LogTest, JsonLinesHaveTheirKeysAndParse) {
  Log log = Log::to_file(path(), "gateway \"web\\0\"");
  log.set_format(LogFormat::json);
  log.warning("quote \" backslash \\ newline \n tab \t nul {} end", '\0');
  ASSERT_EQ(lines().size(), 1U);
  const auto json = nlohmann::json::parse(lines()[0]);
  EXPECT_EQ(json["message"], std::string("quote \" backslash \\ newline \n tab \t nul ") + '\0' + " end");
  EXPECT_EQ(json["level"], "warning");
  EXPECT_EQ(json["process"], "gateway \"web\\0\"");
  EXPECT_EQ(json["pid"], getpid());
  EXPECT_TRUE(json["time"].is_string());
}

TEST_F(LogTest, JsonLinesParseWhateverTheBytes) {
  Log log = Log::to_file(path(), "p");
  log.set_format(LogFormat::json);
  std::size_t count = 0;
  for (int first = 0; first < 256; ++first) {
    const char c = static_cast<char>(first);
    for (const std::string& tail :
         {std::string(), std::string("\x80"), std::string("\x8f\xbf"), std::string("\xa0\x80\x80"), std::string("z")}) {
      log.info("{}", std::string(1, c) + tail + "|");
      ++count;
    }
  }
  // Overlong forms, a surrogate, beyond the last code point, a sequence cut off by the end.
  for (const char* bad :
       {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x8f\xbf\xbf", "\xe2\x82", "\xf0\x9f\x98"}) {
    log.info("{}", bad);
    ++count;
  }
  const auto all = lines();
  ASSERT_EQ(all.size(), count);
  for (const std::string& line : all) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

TEST_F(LogTest, Utf8StaysReadable) {
  Log log = Log::to_file(path(), "p");
  log.info("{}", "gr\xc3\xbc\xc3\x9f \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80");
  EXPECT_NE(text().find("gr\xc3\xbc\xc3\x9f \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80\n"), std::string::npos);
  log.set_format(LogFormat::json);
  log.info("{}", "\xe4\xbd\xa0 \xff");
  EXPECT_EQ(nlohmann::json::parse(lines()[1])["message"], "\xe4\xbd\xa0 \\xff");
}

TEST_F(LogTest, CopiesFollowTheFormOfTheOriginal) {
  Log log = Log::to_file(path(), "p");
  const Log earlier = log;  // NOLINT(performance-unnecessary-copy-initialization): the copy is what is tested
  log.set_format(LogFormat::json);
  earlier.info("a \"quoted\" word");
  ASSERT_TRUE(nlohmann::json::accept(lines()[0])) << lines()[0];
  log.set_format(LogFormat::text);
  earlier.info("a \"quoted\" word");
  EXPECT_NE(lines()[1].find("] a \"quoted\" word"), std::string::npos);
}

TEST_F(LogTest, LinesThatAreLostAreCountedAndToldOfWhenWritingWorksAgain) {
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    std::filesystem::remove(path());
    Log log = Log::to_file(path(), "p");
    log.set_format(format);
    log.info("first");
    rlimit full = before;
    full.rlim_cur = std::filesystem::file_size(path()) + 10;  // the next line is cut
    setrlimit(RLIMIT_FSIZE, &full);
    for (int i = 0; i < 5; ++i) log.info("lost {}", i);
    EXPECT_EQ(log.lost().lines, 5U);
    EXPECT_EQ(log.lost().error, EFBIG);
    setrlimit(RLIMIT_FSIZE, &before);
    log.info("last");
    log.info("very last");
    const auto all = lines();
    ASSERT_EQ(all.size(), 5U) << text();
    EXPECT_EQ(all[1].size(), 10U) << "what there was room for";
    EXPECT_NE(all[2].find("5 lines of the log before this one could not be written: File too large"), std::string::npos);
    EXPECT_NE(all[3].find("last"), std::string::npos);
    EXPECT_NE(all[4].find("very last"), std::string::npos);
    if (format == LogFormat::json) {
      EXPECT_EQ(nlohmann::json::parse(all[2])["level"], "warning");
    }
    EXPECT_EQ(log.lost().lines, 5U);
  }
  ::signal(SIGXFSZ, ignored);
}

TEST(Printable, ShowsBytesSafelyAndCutsThem) {
  EXPECT_EQ(printable("GET / HTTP/1.1\r\n"), "GET / HTTP/1.1\\x0d\\x0a");
  EXPECT_EQ(printable(std::string_view("\0\xff\\", 3)), "\\x00\\xff\\x5c");
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abcdef... (7 bytes)");
  EXPECT_EQ(printable(""), "");
}

TEST_F(LogTest, HandsMessagesToAFunction) {
  std::vector<std::pair<LogLevel, std::string>> told;
  const Log log = Log::to_function([&](LogLevel level, std::string_view message) { told.emplace_back(level, message); });
  log.debug("not told");
  log.info("{} of {}", 1, 2);
  log.warning("a\x1b b");
  log.error("c");
  const std::vector<std::pair<LogLevel, std::string>> expected = {
      {LogLevel::info, "1 of 2"}, {LogLevel::warning, "a\\x1b b"}, {LogLevel::error, "c"}};
  EXPECT_EQ(told, expected);
}

}  // namespace
}  // namespace gatehouse
