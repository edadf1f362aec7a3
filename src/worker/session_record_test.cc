#include "worker/session_record.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(SessionRecord, KnowsNothingAtFirst) {
  SessionRecord record;
  EXPECT_FALSE(record.is_known());
  EXPECT_FALSE(record.differs("a:1:{i:0;i:1;}"));
  EXPECT_EQ(record.newer_than(""), nullptr);
}

TEST(SessionRecord, AnEventThatWasUnderWayDiffersFromWhatWasWritten) {
  SessionRecord record;
  record.wrote("old", "new");
  EXPECT_TRUE(record.differs("old"));
  EXPECT_FALSE(record.differs("new"));
  ASSERT_NE(record.newer_than("old"), nullptr);
  EXPECT_EQ(*record.newer_than("old"), "new");
  EXPECT_EQ(record.newer_than("of somebody else, written later"), nullptr);
  record.confirmed();
  EXPECT_EQ(record.newer_than("old"), nullptr);
  EXPECT_TRUE(record.differs("old"));
  record.fetched("fetched");
  EXPECT_FALSE(record.differs("fetched"));
  record.forget();
  EXPECT_FALSE(record.differs("anything"));
}

TEST(SessionRecord, NoSessionAndAnEmptyOneAreTheSame) {
  SessionRecord record;
  record.fetched("a:0:{}");
  EXPECT_FALSE(record.differs(""));
  EXPECT_TRUE(record.differs("a:1:{i:0;i:1;}"));
}

}  // namespace
}  // namespace gatehouse
