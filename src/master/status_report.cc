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

std::int64_t whole_seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

/// The start as the clock of now has it: it may have been set since.
std::chrono::system_clock::time_point start_of(const StatusSubject& subject) {
  const auto by_now =
      std::chrono::system_clock::now() - std::chrono::duration_cast<std::chrono::system_clock::duration>(subject.uptime);
  const auto off = by_now > subject.started ? by_now - subject.started : subject.started - by_now;
  return off > std::chrono::seconds(2) ? by_now : subject.started;
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
  Json row = identity(process);
  row["state"] = busy ? "busy" : to_string(process.state);
  row["restarts"] = process.restarts;
  row["blocked"] = process.blocked;
  row["held"] = process.held;
  row["last_exit"] = process.last_exit.empty() ? Json(nullptr) : Json(process.last_exit);
  row["memory_kib"] = process.is_alive() ? Json(memory_kib(process.pid)) : Json(nullptr);
  row["uptime_seconds"] =
      process.is_alive() ? Json(whole_seconds(SupervisedProcess::Clock::now() - process.started)) : Json(nullptr);
  row.update(unknown_role_status());
  if (answer != nullptr) row.update(Json(*answer));
  return row;
}

// What can be added up.
constexpr std::array kSummed = {"restarts",
                                "blocked",
                                "memory_kib",
                                "inner_connections",
                                "messages_in",
                                "messages_out",
                                "send_failures",
                                "queued_bytes",
                                "unread_bytes",
                                "handler_errors",
                                "log_lines_lost",
                                "messages_in_per_second",
                                "messages_out_per_second"};

/// Sums over the processes that answered; a sum over something else would not mean anything.
Json make_totals(const Json& rows) {
  Json totals = {{"processes", rows.size()}, {"running", 0}, {"client_connections", 0}};
  for (const char* key : kSummed) totals[key] = 0;
  const auto add = [&totals](const char* key, const Json& value) {
    if (value.is_number()) totals[key] = totals[key].get<std::uint64_t>() + value.get<std::uint64_t>();
  };
  for (const Json& row : rows) {
    if (row["state"] == "running") totals["running"] = totals["running"].get<int>() + 1;
    for (const char* key : kSummed) add(key, row[key]);
    if (row["role"] == "gateway") add("client_connections", row["connections"]);
  }
  return totals;
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

template <class Format>
std::string number_or_dash(const Json& value, Format format) {
  return value.is_number() ? format(value.get<std::uint64_t>()) : "-";
}

std::string short_label(const Json& row) {
  return master::short_label(text_of(row["name"]), row["index"].get<int>(), kStatusNameWidth);
}

std::string plain(std::uint64_t value) { return std::to_string(value); }
std::string percent(std::uint64_t value) { return std::to_string(value) + "%"; }

/// Who, and in which state.
std::string format_processes(const Json& processes) {
  using enum TextTable::Align;
  // The widest cells and two spaces between columns are 120 columns; it takes a very long address for more than 100.
  TextTable table({{"ROLE", left, 8},
                   {"NAME", left, kStatusNameWidth},
                   {"STATE", left, 10},
                   {"PID", right, 7},
                   {"RESTARTS", right, 8},
                   {"MEMORY", right, 9},
                   {"UPTIME", right, 7},
                   {"BUSY", right, 4},
                   {"LISTENING", left, 36}});
  for (const Json& row : processes) {
    table.add({text_of(row["role"]), short_label(row), text_of(row["state"]), number_or_dash(row["pid"], plain),
               number_or_dash(row["restarts"], short_number), number_or_dash(row["memory_kib"], short_size),
               number_or_dash(row["uptime_seconds"], short_duration), number_or_dash(row["busy_percent"], percent),
               text_of(row["listening"])});
  }
  return table.to_string();
}

/// What goes through them.
std::string format_traffic(const Json& processes, const Json& totals) {
  using enum TextTable::Align;
  TextTable table({{"NAME", left, kStatusNameWidth},
                   {"CONNS", right, 6},
                   {"INNER", right, 6},
                   {"IN", right, 6},
                   {"OUT", right, 6},
                   {"IN/S", right, 6},
                   {"OUT/S", right, 6},
                   {"QUEUED", right, 9},
                   {"UNREAD", right, 9},
                   {"UNSENT", right, 6},
                   {"ERRORS", right, 6}});
  const auto add = [&table](const std::string& name, const Json& row, const Json& connections) {
    table.add({name, number_or_dash(connections, short_number), number_or_dash(row["inner_connections"], short_number),
               number_or_dash(row["messages_in"], short_number), number_or_dash(row["messages_out"], short_number),
               number_or_dash(row["messages_in_per_second"], short_number),
               number_or_dash(row["messages_out_per_second"], short_number), number_or_dash(row["queued_bytes"], short_bytes),
               number_or_dash(row["unread_bytes"], short_bytes), number_or_dash(row["send_failures"], short_number),
               number_or_dash(row["handler_errors"], short_number)});
  };
  for (const Json& row : processes) add(short_label(row), row, row["connections"]);
  add("total", totals, totals["client_connections"]);
  return table.to_string();
}

constexpr std::int64_t kDaysToSay = 30;  // before the end of a certificate

/// A line for each process about which there is something to say.
std::string format_notes(const Json& processes) {
  std::string notes;
  for (const Json& row : processes) {
    std::string note;
    const auto remark = [&note](const std::string& text) { note += (note.empty() ? "" : ", ") + text; };
    if (row["held"] == true) remark("stopped by an operator, until \"start\" with its name");
    if (const std::string exit = text_of(row["last_exit"]); !exit.empty()) remark("last exit: " + exit);
    for (const auto& [key, words] : {std::pair{"send_failures", "messages not sent"},
                                     {"handler_errors", "handler errors"},
                                     {"blocked", "times blocked"},
                                     {"log_lines_lost", "log lines lost"}}) {
      if (row[key].is_number() && row[key] != 0) remark(fmt::format("{} {}", row[key].get<std::uint64_t>(), words));
    }
    for (const Json& each : row["certificates"].is_array() ? row["certificates"] : Json::array()) {
      const auto days = each["days_left"].get<std::int64_t>();
      if (days >= kDaysToSay) continue;
      remark(fmt::format("certificate {} {} {}", text_of(each["file"]), days < 0 ? "out of date since" : "ends",
                         text_of(each["ends"])));
    }
    if (note.empty()) continue;
    notes += fmt::format("{}:{}: {}", text_of(row["name"]), row["index"].get<int>(), note).substr(0, 120) + "\n";
  }
  return notes;
}

/// "configuration 9f86d081884c of /etc/gatehouse/gatehouse.toml, taken over 2026-11-21T10:00:00Z (3d 4h ago)"
std::string format_configuration(const Json& configuration) {
  std::string files;
  for (const Json& file : configuration["files"]) files += (files.empty() ? " of " : ", ") + text_of(file);
  std::string out =
      fmt::format("configuration {}{}, taken over {} ({} ago)", text_of(configuration["hash"]).substr(0, 12), files,
                  text_of(configuration["taken_over"]), short_duration(configuration["age_seconds"].get<std::uint64_t>()));
  for (const Json& what : configuration["needs_restart"]) out += "\nnot taken over, since it takes a restart: " + text_of(what);
  return out;
}

/// What an operator has changed at run time.
std::string format_settings(const Json& status) {
  std::string out;
  if (const auto level = status.find("log_level"); level != status.end()) {
    out += fmt::format("\nlog level {}", text_of(*level));
    const Json left = status.value("log_level_seconds_left", Json(nullptr));
    if (left.is_number()) out += fmt::format(" for {} more", short_duration(left.get<std::uint64_t>()));
  }
  const std::uint64_t denied = status.value("denied_ranges", std::uint64_t{0});
  if (denied > 0) out += fmt::format("{}{} ranges of addresses denied", out.empty() ? "\n" : ", ", denied);
  return out;
}

}  // namespace

nlohmann::ordered_json identity(const SupervisedProcess& process) {
  return {{"role", process.spec->role},
          {"name", process.spec->name},
          {"index", process.index},
          {"pid", process.is_alive() ? Json(process.pid) : Json(nullptr)}};
}

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
          {"started", iso_time(start_of(subject))},
          {"uptime_seconds", whole_seconds(subject.uptime)},
          {"log_lines_lost", subject.log_lines_lost},
          {"load_average", load_average()},
          {"processes", std::move(rows)},
          {"totals", std::move(totals)}};
}

std::string format_status(const nlohmann::ordered_json& status) {
  std::string out = fmt::format("{}, pid {}, gatehouse {}, started {} ({} ago)", text_of(status["name"]),
                                status["pid"].get<int>(), text_of(status["version"]), text_of(status["started"]),
                                short_duration(status["uptime_seconds"].get<std::uint64_t>()));
  if (const auto configuration = status.find("configuration"); configuration != status.end()) {
    out += "\n" + format_configuration(*configuration);
  }
  const Json& load = status["load_average"];
  if (load.is_array()) {
    out +=
        fmt::format("\nload average {:.2f} {:.2f} {:.2f}", load[0].get<double>(), load[1].get<double>(), load[2].get<double>());
  }
  out += format_settings(status);
  const Json& totals = status["totals"];
  out += fmt::format("\n{} of {} processes running, {}, {} client connections\n\n", totals["running"].get<int>(),
                     totals["processes"].get<int>(), short_size(totals["memory_kib"].get<std::uint64_t>()),
                     totals["client_connections"].get<std::uint64_t>());
  const Json& processes = status["processes"];
  out += format_processes(processes) + "\n" + format_traffic(processes, totals);
  std::string notes = format_notes(processes);
  // A master of an older version does not say.
  if (const auto lost = status.value("log_lines_lost", std::uint64_t{0}); lost > 0)
    notes += fmt::format("master: {} log lines lost\n", lost);
  return notes.empty() ? out : out + "\n" + notes;
}

std::string format_start_table(const std::vector<ProcessSpec>& specs) {
  using enum TextTable::Align;
  TextTable table({{"NAME", left, 30}, {"ROLE", left, 8}, {"LISTENING", left, 48}, {"COUNT", right, 6}});
  for (const ProcessSpec& spec : specs) table.add({spec.name, spec.role, spec.listening, std::to_string(spec.count)});
  return table.to_string();
}

}  // namespace gatehouse::master
