#pragma once

#include <cstdio>
#include <string>

namespace gatehouse {

/// One line on standard error; gives the exit status of a command that failed.
inline int report_problem(const std::string& line) {
  std::fputs((line + "\n").c_str(), stderr);
  return 1;
}

}  // namespace gatehouse
