#pragma once

#include <sys/types.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "master/child_questions.h"
#include "master/supervised_process.h"

namespace gatehouse::master {

/// Who is reported on.
struct StatusSubject {
  std::string name;
  pid_t pid = 0;
  std::chrono::system_clock::time_point started = {};  // as the clock was then
  std::chrono::steady_clock::duration uptime = {};
  std::uint64_t log_lines_lost = 0;  // by the master
};

/// Columns of a process's name in the tables.
inline constexpr std::size_t kStatusNameWidth = 15;

/// The answer to `status`, as `--json` prints it. A process that should have answered and did not is "busy", its own figures
/// null.
nlohmann::ordered_json make_status(const StatusSubject& subject, const std::vector<SupervisedProcess>& processes,
                                   const ChildQuestions::Answers& answers);

/// Which process it is: role, name, index and pid.
nlohmann::ordered_json identity(const SupervisedProcess& process);

/// The same for people: lines of at most 120 columns.
std::string format_status(const nlohmann::ordered_json& status);

/// What `start` prints when everything is up: name, role, listening address, count.
std::string format_start_table(const std::vector<ProcessSpec>& specs);

}  // namespace gatehouse::master
