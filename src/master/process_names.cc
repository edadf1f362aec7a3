#include "master/process_names.h"

#include <fmt/format.h>

#include "base/log.h"
#include "master/status_report.h"
#include "master/text_table.h"

namespace gatehouse::master {
namespace {

constexpr std::size_t kMostListed = 40;

std::string short_name(const SupervisedProcess& process) { return process.spec->name + ":" + std::to_string(process.index); }

bool is_called(const SupervisedProcess& process, std::string_view name) {
  if (process.is_alive() && name == std::to_string(process.pid)) return true;
  return name == short_name(process) || name == process.label() ||
         name == short_label(process.spec->name, process.index, kStatusNameWidth);
}

}  // namespace

Result<std::size_t> find_process(const std::vector<SupervisedProcess>& processes, std::string_view name) {
  std::vector<std::size_t> found;
  std::string all;
  std::size_t listed = 0;
  for (std::size_t place = 0; place < processes.size(); ++place) {
    const SupervisedProcess& process = processes[place];
    if (process.temporary) continue;
    if (is_called(process, name)) found.push_back(place);
    if (++listed <= kMostListed) all += (all.empty() ? "" : ", ") + short_name(process);
  }
  if (listed > kMostListed) all += fmt::format(" and {} more", listed - kMostListed);
  if (found.size() == 1) return found.front();
  if (found.empty()) return failure(fmt::format("there is no process \"{}\"; there are {}", printable(name), all));
  std::string pids;
  for (const std::size_t place : found) {
    const SupervisedProcess& process = processes[place];
    pids += (pids.empty() ? "" : ", ") + (process.is_alive() ? std::to_string(process.pid) : process.label());
  }
  return failure(fmt::format("{} processes are called \"{}\"; name one by its pid: {}", found.size(), printable(name), pids));
}

}  // namespace gatehouse::master
