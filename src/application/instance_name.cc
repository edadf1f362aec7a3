#include "application/instance_name.h"

#include <fmt/format.h>

#include <cstdlib>
#include <random>

namespace gatehouse {
namespace {

constexpr const char* kInstanceVariable = "GATEHOUSE_INSTANCE";

}  // namespace

void draw_instance_name() {
  const std::string name = fmt::format("{:08x}", std::random_device{}());
  setenv(kInstanceVariable, name.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): before there is a thread
}

std::string take_instance_name() {
  const char* const value = std::getenv(kInstanceVariable);  // NOLINT(concurrency-mt-unsafe): called at the start of main()
  std::string name = value == nullptr ? "" : value;
  unsetenv(kInstanceVariable);  // NOLINT(concurrency-mt-unsafe)
  return name;
}

}  // namespace gatehouse
