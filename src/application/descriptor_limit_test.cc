#include "application/descriptor_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gatehouse {
namespace {

TEST(DescriptorLimit, IsRaisedToTheHardLimit) {
  const pid_t pid = fork();
  if (pid == 0) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 100;
    limit.rlim_max = 500;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(2);
    const bool told = raise_descriptor_limit() == 500;
    getrlimit(RLIMIT_NOFILE, &limit);
    _exit(told && limit.rlim_cur == 500 ? 0 : 1);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(DescriptorLimit, ALowOneNamesTheClientsThatFit) {
  const auto text = describe_low_limit(1024);
  ASSERT_TRUE(text.has_value());
  EXPECT_NE(text->find("960 clients"), std::string::npos) << *text;
  EXPECT_NE(text->find("1024 descriptors"), std::string::npos) << *text;
  EXPECT_FALSE(describe_low_limit(1'048'576).has_value());
  EXPECT_EQ(clients_that_fit(10), 0U);
}

}  // namespace
}  // namespace gatehouse
