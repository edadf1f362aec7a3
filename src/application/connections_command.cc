#include "application/connections_command.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "application/connection_filter.h"
#include "application/instance_commands.h"
#include "application/report_problem.h"
#include "base/log.h"
#include "master/connection_json.h"
#include "master/text_table.h"

namespace gatehouse {
namespace {

using Json = nlohmann::ordered_json;

struct Column {
  const char* title;
  std::size_t width;
  bool right;
};
// The rows are printed as they come, so that a list of a million needs no memory; widths are set, and are 120 with the spaces.
constexpr std::array<Column, 11> kColumns = {{{"PROCESS", 11, false},
                                              {"KIND", 8, false},
                                              {"STATE", 9, false},
                                              {"CLIENT/PEER", 20, false},
                                              {"UID", 7, false},
                                              {"GROUPS", 6, true},
                                              {"RECV-Q", 7, true},
                                              {"SEND-Q", 7, true},
                                              {"IN", 7, true},
                                              {"OUT", 7, true},
                                              {"REMOTE", 21, false}}};

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

std::string bytes_of(const Json& value) {
  // Without the space: 7 columns hold "1023.9K".
  std::string text = master::short_bytes(value.get<std::uint64_t>());
  if (const std::size_t space = text.find(' '); space != std::string::npos) text.erase(space, 1);
  if (text.ends_with('B')) text.pop_back();
  return text;
}

void print_line(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    const Column& column = kColumns[i];
    std::string cell = cells[i];
    const std::size_t width = column.width;
    // The last one stands at the end of the line and may be as long as it is.
    if (cell.size() > width && i + 1 < kColumns.size()) cell = cell.substr(0, width - 2) + "..";
    line += column.right ? fmt::format("{:>{}} ", cell, width) : fmt::format("{:<{}} ", cell, width);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  std::fputs((line + "\n").c_str(), stdout);
}

std::string label_of(const Json& process) { return fmt::format("{}:{}", text_of(process["name"]), process["index"].get<int>()); }

class TablePrinter {
 public:
  TablePrinter() {
    std::vector<std::string> titles;
    for (const Column& column : kColumns) titles.emplace_back(column.title);
    print_line(titles);
  }
  void add(const Json& process, const Json& row) {
    const std::string client = text_of(row["client_id"]);
    const Json& groups = row["groups"];
    const std::uint64_t group_count = groups.is_array() ? groups.size() + row["more_groups"].get<std::uint64_t>() : 0;
    print_line({master::short_label(text_of(process["name"]), process["index"].get<int>(), kColumns[0].width),
                text_of(row["kind"]), row["paused"] == true ? "paused" : text_of(row["state"]),
                client.empty() ? text_of(row["peer"]) : client, printable(text_of(row["uid"])),
                groups.is_array() ? std::to_string(group_count) : "", bytes_of(row["unread_bytes"]),
                bytes_of(row["queued_bytes"]), bytes_of(row["bytes_received"]), bytes_of(row["bytes_sent"]),
                text_of(row["remote_address"])});
    ++count_;
  }
  void finish() { std::fputs(fmt::format("{} connection{}\n", count_, count_ == 1 ? "" : "s").c_str(), stdout); }

 private:
  std::uint64_t count_ = 0;
};

class JsonPrinter {
 public:
  JsonPrinter() { std::fputs("[", stdout); }
  void add(const Json& process, const Json& row) {
    Json whole = {{"process", process}};
    whole.update(row);
    const std::string text = whole.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    std::fputs(((first_ ? "\n" : ",\n") + text).c_str(), stdout);
    first_ = false;
  }
  void finish() { std::fputs("\n]\n", stdout); }

 private:
  bool first_ = true;
};

/// Asks for piece after piece. The exit status.
template <class Printer>
int print_all(const Settings& settings, const ConnectionFilter& wanted) {
  const Json filter = master::to_json(wanted);
  Json from = {{"place", 0}, {"from", 0}};
  std::optional<Printer> printer;
  std::string silent;
  while (from.is_object()) {
    Json details = from;
    details["filter"] = filter;
    const auto piece = ask_instance(settings, "connections", kAnswerTimeout, details);
    if (!piece) return report_problem(piece.error().message);
    if (!piece->contains("rows") || !piece->contains("next")) {
      return report_problem(
          fmt::format("{} answered: {}", settings.instance, piece->value("error", "nothing that is understood")));
    }
    if (!printer) printer.emplace();
    const Json& rows = (*piece)["rows"];
    if (rows.is_null()) silent += (silent.empty() ? "" : ", ") + label_of((*piece)["process"]);
    for (const Json& row : rows) printer->add((*piece)["process"], row);
    from = (*piece)["next"];
  }
  printer->finish();
  if (finish_output(0) != 0) return 1;
  return silent.empty() ? 0 : report_problem(fmt::format("not in the list, as they did not answer: {}", silent));
}

}  // namespace

int show_connections(const Settings& settings) {
  const Result<ConnectionFilter> filter = tidy_filter(settings.filter);
  if (!filter) return report_problem(filter.error().message);
  if (!is_running(settings)) return report_problem(settings.instance + " is not running");
  return settings.json ? print_all<JsonPrinter>(settings, *filter) : print_all<TablePrinter>(settings, *filter);
}

}  // namespace gatehouse
