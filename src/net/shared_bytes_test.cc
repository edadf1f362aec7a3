#include "net/shared_bytes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gatehouse::net {
namespace {

TEST(SharedBytes, IsEmptyByDefault) {
  SharedBytes none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.size(), 0U);
  EXPECT_EQ(none.view(), "");
  EXPECT_TRUE(none.fill().empty());
  const SharedBytes copy = none;  // NOLINT(performance-unnecessary-copy-initialization): copying nothing is what is tested
  EXPECT_TRUE(copy.empty());
}

TEST(SharedBytes, CopiesShareTheSameBytes) {
  const SharedBytes first = SharedBytes::copy_of("hello");
  std::vector<SharedBytes> many(1000, first);
  for (const SharedBytes& each : many) EXPECT_EQ(each.view().data(), first.view().data());
  EXPECT_EQ(many.back().view(), "hello");
}

TEST(SharedBytes, LastReferenceFreesWhateverTheOrder) {
  auto* first = new SharedBytes(SharedBytes::copy_of(std::string(1000, 'x')));  // NOLINT(cppcoreguidelines-owning-memory)
  SharedBytes second = *first;
  delete first;  // NOLINT(cppcoreguidelines-owning-memory)
  EXPECT_EQ(second.view(), std::string(1000, 'x'));
  second = SharedBytes::copy_of("other");
  EXPECT_EQ(second.view(), "other");
}

TEST(SharedBytes, MovesAndSelfAssignments) {
  SharedBytes a = SharedBytes::copy_of("abc");
  SharedBytes b = std::move(a);
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): a moved-from one is empty
  const SharedBytes& alias = b;
  b = alias;
  EXPECT_EQ(b.view(), "abc");
  a = b;
  EXPECT_EQ(a.view().data(), b.view().data());
  a = SharedBytes();
  EXPECT_EQ(b.view(), "abc");
}

TEST(SharedBytes, IsFilledInPlace) {
  SharedBytes bytes = SharedBytes::uninitialized(300);
  ASSERT_EQ(bytes.fill().size(), 300U);
  for (char& byte : bytes.fill()) byte = 'z';
  EXPECT_EQ(bytes.view(), std::string(300, 'z'));
}

TEST(SharedBytes, NoBytesButABlock) {
  const SharedBytes bytes = SharedBytes::copy_of("");
  const SharedBytes copy = bytes;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_TRUE(copy.empty());
  EXPECT_EQ(copy.view(), "");
}

}  // namespace
}  // namespace gatehouse::net
