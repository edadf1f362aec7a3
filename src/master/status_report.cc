#include "master/status_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>

#include "base/version.h"
#include "master/role_status_json.h"
#include "master/text_table.h"

namespace gatehouse::master {
namespace {

using Json = nlohmann::ordered_json;

/// Resident set size in KiB; 0 when the process is gone.
std::uint64_t memory_kib(pid_t pid) {
  // /proc/PID/statm: total and resident size in pages (proc(5)).
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

template <class TimePoint>
std::int64_t seconds_since(TimePoint then) {
  return std::chrono::duration_cast<std::chrono::seconds>(TimePoint::clock::now() - then).count();
}

std::string iso_time(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

Json load_average() {
  std::array<double, 3> load{};
  if (getloadavg(load.data(), 3) != 3) return nullptr;
  return Json(load);
}

Json describe(const SupervisedProcess& process, const nlohmann::json* answer) {
  const bool busy = process.state == SupervisedProcess::State::running && answer == nullptr;
  Json row = {{"role", process.spec->role},
              {"name", process.spec->name},
              {"index", process.index},
              {"pid", process.is_alive() ? Json(process.pid) : Json(nullptr)},
              {"state", busy ? "busy" : to_string(process.state)},
              {"restarts", process.restarts},
              {"last_exit", process.last_exit.empty() ? Json(nullptr) : Json(process.last_exit)},
              {"memory_kib", process.is_alive() ? Json(memory_kib(process.pid)) : Json(nullptr)},
              {"uptime_seconds", process.is_alive() ? Json(seconds_since(process.started)) : Json(nullptr)}};
  row.update(unknown_role_status());
  if (answer != nullptr) row.update(Json(*answer));
  return row;
}

/// Sums over the processes that answered; a sum over something else would not mean anything.
Json make_totals(const Json& rows) {
  Json totals = {{"processes", rows.size()}, {"running", 0}, {"restarts", 0}, {"memory_kib", 0}, {"client_connections", 0}};
  for (const char* key : {"messages_in", "messages_out", "send_failures", "queued_bytes", "handler_errors"}) totals[key] = 0;
  for (const Json& row : rows) {
    if (row["state"] == "running") totals["running"] = totals["running"].get<int>() + 1;
    for (auto& [key, sum] : totals.items()) {
      if (row.contains(key) && row[key].is_number()) sum = sum.get<std::uint64_t>() + row[key].get<std::uint64_t>();
    }
    if (row["role"] == "gateway" && row["connections"].is_number()) {
      totals["client_connections"] = totals["client_connections"].get<std::uint64_t>() + row["connections"].get<std::uint64_t>();
    }
  }
  return totals;
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

template <class Format>
std::string number_or_dash(const Json& value, Format format) {
  return value.is_number() ? format(value.get<std::uint64_t>()) : "-";
}

constexpr std::size_t kNameWidth = 15;

/// "web:0"; of a long name only the beginning, but the index whole.
std::string short_label(const Json& row) {
  const std::string index = ":" + std::to_string(row["index"].get<int>());
  std::string name = text_of(row["name"]);
  if (name.size() + index.size() > kNameWidth) name = name.substr(0, kNameWidth - index.size() - 2) + "..";
  return name + index;
}

std::string plain(std::uint64_t value) { return std::to_string(value); }

}  // namespace

nlohmann::ordered_json make_status(const StatusSubject& subject, const std::vector<SupervisedProcess>& processes,
                                   const ChildQuestions::Answers& answers) {
  Json rows = Json::array();
  for (std::size_t place = 0; place < processes.size(); ++place) {
    if (processes[place].temporary && !processes[place].is_alive()) continue;
    const auto answer = answers.find(place);
    rows.push_back(describe(processes[place], answer != answers.end() ? &answer->second : nullptr));
  }
  Json totals = make_totals(rows);
  return {{"name", subject.name},
          {"version", kVersion},
          {"pid", subject.pid},
          {"started", iso_time(subject.started)},
          {"uptime_seconds", seconds_since(subject.started)},
          {"load_average", load_average()},
          {"processes", std::move(rows)},
          {"totals", std::move(totals)}};
}

std::string format_status(const nlohmann::ordered_json& status) {
  std::string out = fmt::format("{}, pid {}, gatehouse {}, started {} ({} ago)", text_of(status["name"]),
                                status["pid"].get<int>(), text_of(status["version"]), text_of(status["started"]),
                                short_duration(status["uptime_seconds"].get<std::uint64_t>()));
  const Json& load = status["load_average"];
  if (load.is_array()) {
    out +=
        fmt::format("\nload average {:.2f} {:.2f} {:.2f}", load[0].get<double>(), load[1].get<double>(), load[2].get<double>());
  }
  out += "\n\n";

  using enum TextTable::Align;
  // The widest cells and two spaces between columns are 100 columns.
  TextTable table({{"ROLE", left, 8},
                   {"NAME", left, kNameWidth},
                   {"STATE", left, 10},
                   {"PID", right, 7},
                   {"RESTARTS", right, 8},
                   {"MEMORY", right, 9},
                   {"UPTIME", right, 7},
                   {"CONNS", right, 6},
                   {"IN", right, 6},
                   {"OUT", right, 6}});
  std::string notes;
  for (const Json& row : status["processes"]) {
    const std::string label = fmt::format("{}:{}", text_of(row["name"]), row["index"].get<int>());
    table.add({text_of(row["role"]), short_label(row), text_of(row["state"]), number_or_dash(row["pid"], plain),
               number_or_dash(row["restarts"], short_number), number_or_dash(row["memory_kib"], short_size),
               number_or_dash(row["uptime_seconds"], short_duration), number_or_dash(row["connections"], short_number),
               number_or_dash(row["messages_in"], short_number), number_or_dash(row["messages_out"], short_number)});
    std::string note;
    const auto remark = [&note](const std::string& text) { note += (note.empty() ? "" : ", ") + text; };
    if (const std::string exit = text_of(row["last_exit"]); !exit.empty()) remark("last exit: " + exit);
    for (const auto& [key, words] : {std::pair{"send_failures", "messages not sent"}, {"handler_errors", "handler errors"}}) {
      if (row[key].is_number() && row[key] != 0) remark(fmt::format("{} {}", row[key].get<std::uint64_t>(), words));
    }
    if (!note.empty()) notes += (label + ": " + note).substr(0, 100) + "\n";
  }
  out += table.to_string();
  const Json& totals = status["totals"];
  out += fmt::format("\n{} of {} processes running, {}, {} client connections\n", totals["running"].get<int>(),
                     totals["processes"].get<int>(), short_size(totals["memory_kib"].get<std::uint64_t>()),
                     totals["client_connections"].get<std::uint64_t>());
  return out + notes;
}

std::string format_start_table(const std::vector<ProcessSpec>& specs) {
  using enum TextTable::Align;
  TextTable table({{"NAME", left, 30}, {"ROLE", left, 8}, {"LISTENING", left, 48}, {"COUNT", right, 6}});
  for (const ProcessSpec& spec : specs) table.add({spec.name, spec.role, spec.listening, std::to_string(spec.count)});
  return table.to_string();
}

}  // namespace gatehouse::master
