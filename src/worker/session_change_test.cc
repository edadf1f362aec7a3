#include "worker/session_change.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

using wire::Command;

void expect(const SessionChange& change, Command command, std::string_view ext) {
  EXPECT_EQ(change.command, command) << change.ext;
  EXPECT_EQ(change.ext, ext);
}

constexpr std::string_view kOne = R"(a:2:{s:1:"a";i:1;s:1:"b";a:1:{s:1:"c";i:2;}})";

TEST(SessionChange, WhatIsAddedOrChangedIsAnUpdateForEveryGateway) {
  for (const bool native : {true, false}) {
    expect(session_change("", kOne, native), Command::update_session, kOne);
    expect(session_change("a:0:{}", kOne, native), Command::update_session, kOne);
    expect(session_change(kOne, R"(a:3:{s:1:"a";i:5;s:1:"b";a:2:{s:1:"c";i:2;i:0;b:1;}s:1:"d";a:0:{}})", native),
           Command::update_session, R"(a:3:{s:1:"a";i:5;s:1:"b";a:1:{i:0;b:1;}s:1:"d";a:0:{}})");
  }
}

TEST(SessionChange, WhatIsTakenAwayIsSaidToNativeGatewaysOnly) {
  const std::string_view now = R"(a:2:{s:1:"b";a:0:{}s:1:"d";i:4;})";
  expect(session_change(kOne, now, true), Command::merge_session,
         R"(a:2:{i:0;a:2:{s:1:"b";a:1:{s:1:"c";b:1;}s:1:"a";b:1;}i:1;a:1:{s:1:"d";i:4;}})");
  expect(session_change(kOne, now, false), Command::set_session, now);
  expect(session_change(kOne, "a:0:{}", true), Command::merge_session, R"(a:2:{i:0;a:2:{s:1:"a";b:1;s:1:"b";b:1;}i:1;a:0:{}})");
}

TEST(SessionChange, WhatNoDifferenceSaysIsWrittenWhole) {
  const std::string_view other_order = R"(a:2:{s:1:"b";a:1:{s:1:"c";i:2;}s:1:"a";i:1;})";
  expect(session_change(kOne, other_order, true), Command::set_session, other_order);
  for (const std::string_view unreadable : {R"(O:1:"X":0:{})", R"(i:5;)", "garbage"}) {
    expect(session_change(unreadable, kOne, true), Command::set_session, kOne);
  }
  expect(session_change(kOne, "", true), Command::set_session, "");
}

}  // namespace
}  // namespace gatehouse
