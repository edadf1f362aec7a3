#include "call_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "call_table.h"

namespace gatehouse::call {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What the call says on standard error, and its exit status.
std::pair<int, std::string> misuse(const std::vector<std::string>& words) {
  ::testing::internal::CaptureStderr();
  const int status = run_call(words);
  return {status, ::testing::internal::GetCapturedStderr()};
}

TEST(CallCommand, IsFoundBehindItsOptions) {
  const auto words = [](std::vector<const char*> argv) { return words_of_call(static_cast<int>(argv.size()), argv.data()); };
  EXPECT_THAT(words({"gatehouse", "call", "client_count", "--json"}), ElementsAre("client_count", "--json"));
  EXPECT_THAT(words({"gatehouse", "-c", "call", "call", "uids"}), ElementsAre("-c", "call", "uids"));
  EXPECT_THAT(words({"gatehouse", "--config=x", "call", "uids"}), ElementsAre("--config=x", "uids"));
  EXPECT_THAT(words({"gatehouse", "call"}), ElementsAre("--help"));
  EXPECT_THAT(words({"gatehouse", "start", "-c", "call"}), IsEmpty());
  EXPECT_THAT(words({"gatehouse"}), IsEmpty());
}

TEST(CallCommand, HelpNamesEveryCall) {
  const std::string help = call_help();
  for (const Call& call : all_calls()) EXPECT_THAT(help, HasSubstr(call.usage()));
}

TEST(CallCommand, MistakesAreOneLineAndStatus2) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> all = {
      {{"send_to_grup", "g", "x"}, "did you mean \"send_to_group\"?"},
      {{"send_to_group", "g"}, "send_to_group GROUP... DATA"},
      {{"client_count", "--jsn"}, "did you mean \"--json\"?"},
      {{"client_count", "--register"}, "--register"},
      {{"client_count", "--timeout", "soon"}, "such as 5s"},
      {{"client_count", "--raw"}, "--raw is for messages"},
      {{"client_count", "--latest-key", "k"}, "--latest-key is for messages"},
      {{"send_to_all", "x", "--latest-key", std::string(256, 'k')}, "latest_key: at most 255 bytes"},
      {{"close_client", "7f00000108fc00000001", "--except", "x"}, "--except is for messages"},
      {{"ungroup", "g", "--binary"}, "sends nothing"},
      {{"send_to_client", "zz", "x"}, "20 hexadecimal digits"},
      {{"bind_uid", "7f00000108fc00000001", "0"}, "uid: must not be"},
      {{"set_session", "7f00000108fc00000001", "{"}, "JSON is wanted"},
      {{"client_count", "-c", "/nowhere.toml"}, "/nowhere.toml"},
      {{"--json"}, "which call?"},
  };
  for (const auto& [words, said] : all) {
    const auto [status, text] = misuse(words);
    EXPECT_EQ(status, kMisused) << text;
    EXPECT_THAT(text, HasSubstr(said));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  }
}

TEST(CallCommand, AnUnreachableRegisterIsStatus1) {
  const auto [status, text] = misuse({"client_count", "--register", "127.0.0.1:1", "--timeout", "100ms"});
  EXPECT_EQ(status, kFailed);
  EXPECT_THAT(text, HasSubstr("127.0.0.1:1: Connection refused"));
}

}  // namespace
}  // namespace gatehouse::call
