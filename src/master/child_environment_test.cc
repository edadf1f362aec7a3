#include "master/child_environment.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace gatehouse::master {
namespace {

void set(const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  setenv(assignment.substr(0, equals).c_str(), assignment.substr(equals + 1).c_str(), 1);
}

TEST(ChildEnvironment, IsReadBackAsWrittenAndRemoved) {
  const ChildEnvironment told{.kind = "gateway",
                              .name = "web=1",
                              .number = 2,
                              .index = 7,
                              .listen_fds = {0, 1},
                              .control_fd = 2,
                              .black_box_fd = 1,
                              .configuration_fd = 0};
  for (const std::string& variable : told.variables()) set(variable);

  const auto environment = inherited_environment();
  EXPECT_TRUE(std::none_of(environment.begin(), environment.end(),
                           [](const std::string& entry) { return entry.starts_with("GATEHOUSE_CHILD="); }));

  const Result<std::optional<ChildEnvironment>> taken = ChildEnvironment::take();
  ASSERT_TRUE(taken.has_value());
  ASSERT_TRUE(taken->has_value());
  EXPECT_EQ((*taken)->kind, "gateway");
  EXPECT_EQ((*taken)->name, "web=1");
  EXPECT_EQ((*taken)->number, 2);
  EXPECT_EQ((*taken)->index, 7);
  EXPECT_EQ((*taken)->listen_fds, (std::vector{0, 1}));
  EXPECT_EQ((*taken)->control_fd, 2);
  EXPECT_EQ((*taken)->black_box_fd, 1);
  EXPECT_EQ((*taken)->configuration_fd, 0);
  for (const char* name : {"GATEHOUSE_NAME", "GATEHOUSE_CONFIGURATION_FD"}) EXPECT_EQ(std::getenv(name), nullptr) << name;

  const Result<std::optional<ChildEnvironment>> again = ChildEnvironment::take();
  ASSERT_TRUE(again.has_value());
  EXPECT_FALSE(again->has_value());
}

TEST(ChildEnvironment, SaysHowManyReloadsThereWere) {
  for (const auto& [generation, prepare] : {std::pair{0, true}, {3, false}, {12, true}}) {
    const ChildEnvironment told{.kind = "worker",
                                .name = "Worker",
                                .number = 0,
                                .index = 0,
                                .listen_fds = {},
                                .control_fd = 2,
                                .black_box_fd = 1,
                                .generation = generation,
                                .prepare = prepare};
    for (const std::string& variable : told.variables()) set(variable);
    const Result<std::optional<ChildEnvironment>> taken = ChildEnvironment::take();
    ASSERT_TRUE(taken.has_value() && taken->has_value());
    EXPECT_EQ((*taken)->generation, generation);
    EXPECT_EQ((*taken)->prepare, prepare);
    EXPECT_EQ(std::getenv("GATEHOUSE_GENERATION"), nullptr);
  }
  for (const char* value : {"x", "-1", "prepare", ":prepare", "1:prepared"}) {
    set("GATEHOUSE_CHILD=worker:0:0");
    set("GATEHOUSE_CONTROL_FD=2");
    set("GATEHOUSE_BLACK_BOX_FD=1");
    set(std::string("GATEHOUSE_GENERATION=") + value);
    EXPECT_FALSE(ChildEnvironment::take().has_value()) << value;
  }
}

TEST(ChildEnvironment, RefusesWhatMakesNoSense) {
  for (const char* value : {"gateway", "gateway:x:1", "gateway:0:-1", "gateway:0:1:2", "gateway:0:99999999999"}) {
    setenv("GATEHOUSE_CHILD", value, 1);
    setenv("GATEHOUSE_CONTROL_FD", "2", 1);
    const auto taken = ChildEnvironment::take();
    ASSERT_FALSE(taken.has_value()) << value;
    EXPECT_NE(taken.error().message.find(value), std::string::npos);
  }
}

TEST(ChildEnvironment, RefusesDescriptorsThatAreNotOpen) {
  setenv("GATEHOUSE_CHILD", "gateway:0:0", 1);
  setenv("GATEHOUSE_LISTEN_FDS", "1000000", 1);
  setenv("GATEHOUSE_CONTROL_FD", "2", 1);
  EXPECT_FALSE(ChildEnvironment::take().has_value());
  setenv("GATEHOUSE_CHILD", "gateway:0:0", 1);
  EXPECT_FALSE(ChildEnvironment::take().has_value()) << "the control channel is missing";
  setenv("GATEHOUSE_CHILD", "gateway:0:0", 1);
  setenv("GATEHOUSE_CONTROL_FD", "2", 1);
  EXPECT_FALSE(ChildEnvironment::take().has_value()) << "the black box is missing";
}

TEST(ChildEnvironment, OneThatDescribesNeedsOnlyToKnowWhereTo) {
  ChildEnvironment told;
  told.kind = ChildEnvironment::kDescribe;
  told.control_fd = 2;
  for (const std::string& variable : told.variables()) set(variable);
  const auto taken = ChildEnvironment::take();
  ASSERT_TRUE(taken.has_value() && taken->has_value()) << taken.error().message;
  EXPECT_EQ((*taken)->kind, "describe");
  EXPECT_EQ((*taken)->control_fd, 2);
}

TEST(Reference, IsKindAndNumber) {
  EXPECT_EQ(parse_reference("worker:3").kind, "worker");
  EXPECT_EQ(parse_reference("worker:3").number, 3);
}

}  // namespace
}  // namespace gatehouse::master
