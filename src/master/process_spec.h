#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace gatehouse::master {

/// A group of like processes that the master keeps running.
struct ProcessSpec {
  std::string role;       // "gateway", as tables and the log show it
  std::string name;       // "web"
  std::string listening;  // for tables; empty when it listens on nothing
  /// Which of the program's descriptions this is, as in "gateway:0": what the child is told, with its index, in its environment.
  std::string reference;
  int count = 1;
  /// Those of a lower stage are stopped first; the next stage follows when they have ended.
  int stop_stage = 0;
  /// A reload replaces it by a process of the program file as it is then; it knows how to prepare, to serve and to leave.
  bool reloadable = false;
  /// SIGQUIT tells it to go on with what is there, to take nothing new, and to end then.
  bool graceful = false;
  /// Per process the listening descriptors that it inherits, in the order in which it expects them. Empty for none.
  std::vector<std::vector<int>> listeners = {};
  /// What it has of what can be taken over, as a JSON object: a process that is started again is given it beside the texts of its
  /// image, which may be older. Empty for nothing.
  std::string settings = {};
  /// See BlockWatch; 0 for never.
  std::chrono::milliseconds blocked_after{0};
  std::chrono::milliseconds kill_blocked_after{0};
};

}  // namespace gatehouse::master
