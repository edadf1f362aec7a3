#include "master/process_names.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::master {
namespace {

class ProcessNamesTest : public testing::Test {
 protected:
  ProcessNamesTest() {
    web_ = {.role = "gateway", .name = "web", .listening = "", .reference = "gateway:0", .count = 2};
    worker_ = {.role = "worker", .name = std::string(30, 'w'), .listening = "", .reference = "worker:0"};
    for (const auto& [spec, index] : {std::pair(&web_, 0), {&web_, 1}, {&worker_, 0}}) {
      SupervisedProcess process;
      process.spec = spec;
      process.index = index;
      process.pid = 5000 + static_cast<pid_t>(processes_.size());
      processes_.push_back(std::move(process));
    }
  }
  [[nodiscard]] std::string error(const std::string& name) const {
    const auto found = find_process(processes_, name);
    return found ? "place " + std::to_string(*found) : found.error().message;
  }

  ProcessSpec web_;
  ProcessSpec worker_;
  std::vector<SupervisedProcess> processes_;
};

TEST_F(ProcessNamesTest, AreThoseOfStatusAndLogAndPids) {
  EXPECT_EQ(find_process(processes_, "web:1").value(), 1U);
  EXPECT_EQ(find_process(processes_, "gateway web:0").value(), 0U);
  EXPECT_EQ(find_process(processes_, "5002").value(), 2U);
  EXPECT_EQ(find_process(processes_, std::string(30, 'w') + ":0").value(), 2U);
  EXPECT_EQ(find_process(processes_, "wwwwwwwwwww..:0").value(), 2U) << "as the table cuts it";
}

TEST_F(ProcessNamesTest, OneThatIsNotThereListsThoseThatAre) {
  const std::string all = "web:0, web:1, " + std::string(30, 'w') + ":0";
  for (const char* name : {"web:2", "web", "4999", "worker web:0", ""}) {
    EXPECT_EQ(error(name), "there is no process \"" + std::string(name) + "\"; there are " + all);
  }
  EXPECT_EQ(error("a\nb").find('\n'), std::string::npos);
}

TEST_F(ProcessNamesTest, OneThatTwoHaveTakesAPid) {
  worker_.name = "web";
  EXPECT_EQ(error("web:0"), "2 processes are called \"web:0\"; name one by its pid: 5000, 5002");
  EXPECT_EQ(error("worker web:0"), "place 2");
}

TEST_F(ProcessNamesTest, APlaceOfAReloadIsNotMeant) {
  SupervisedProcess old = processes_[2];
  old.temporary = true;
  old.pid = 6000;
  processes_.push_back(old);
  EXPECT_EQ(find_process(processes_, std::string(30, 'w') + ":0").value(), 2U);
}

}  // namespace
}  // namespace gatehouse::master
