#include "text_rules.h"

#include <gtest/gtest.h>

#include <string>

namespace chat {
namespace {

std::string repeated(std::string_view piece, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += piece;
  return result;
}

TEST(NameFault, TakesWhatCanBeRead) {
  for (const char* name : {"ann", "Ann Lee", "Zoë", "李雷", "<b onclick=x()>", "00", "🙂", "$", "a/b"}) {
    EXPECT_EQ(name_fault("A nickname", name), "") << name;
  }
}

TEST(NameFault, CountsCharactersNotBytes) {
  EXPECT_EQ(name_fault("A nickname", repeated("李", 24)), "");
  EXPECT_EQ(name_fault("A nickname", repeated("李", 25)), "A nickname has 1 to 24 characters.");
  EXPECT_EQ(name_fault("A room", ""), "A room has 1 to 24 characters.");
}

TEST(NameFault, RefusesWhatCannotBeSeenOrAddressed) {
  for (const char* name :
       {"a\x1b[2J", "a\nb", "a\u009b2J", "\x7F", "ann\u200b", "\u202enna", "\u3164", "a:b", " ann", "ann ", "0"}) {
    EXPECT_NE(name_fault("A nickname", name), "") << name;
  }
}

TEST(NameFault, RefusesWhatIsNotUtf8) {
  for (const char* name : {"\xFF", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE6\x9D", "\x80"}) {
    EXPECT_EQ(name_fault("A nickname", name), "A nickname must be UTF-8 text.");
  }
}

TEST(TextFault, TellsTheLimitAndTheLength) {
  EXPECT_EQ(text_fault(repeated("é", 2000)), "");
  EXPECT_EQ(text_fault(repeated("é", 2001)), "A message has at most 2000 characters; this one has 2001.");
}

TEST(TextFault, RefusesNothingAndNoText) {
  for (const char* text : {"", "  \n ", "\x1b\x07", "\u202e"}) EXPECT_NE(text_fault(text), "") << text;
  EXPECT_EQ(text_fault("\xFF"), "A message must be UTF-8 text.");
}

TEST(Readable, KeepsWordsAndDropsWhatSteersATerminal) {
  EXPECT_EQ(readable("red \x1b[31malert\x1b[0m\x07"), "red [31malert[0m");
  EXPECT_EQ(readable("a\u009b2Jb\x7F\r"), "a2Jb");
  EXPECT_EQ(readable("txt.\u202eexe"), "txt.exe");
  EXPECT_EQ(readable("one\n\ttwo"), "one\n\ttwo");
  EXPECT_EQ(readable("👩‍🚀 <b>李</b>"), "👩‍🚀 <b>李</b>");
}

TEST(Trimmed, TakesSpaceFromBothEnds) {
  EXPECT_EQ(trimmed(" \t a b\r\n"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
}

}  // namespace
}  // namespace chat
