#include "master/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace gatehouse::master {
namespace {

std::string cut(const std::string& text, std::size_t widest) {
  return text.size() <= widest ? text : text.substr(0, widest - 2) + "..";
}

std::string scaled(std::uint64_t value, std::uint64_t base, const char* separator, const std::vector<const char*>& units) {
  auto number = static_cast<double>(value);
  std::size_t unit = 0;
  while (number >= static_cast<double>(base) && unit + 1 < units.size()) {
    number /= static_cast<double>(base);
    ++unit;
  }
  // Cut rather than rounded, so that 999,999 is not "1000.0k".
  const std::string digits = unit == 0 ? std::to_string(value)
                                       : fmt::format("{:.1f}", static_cast<double>(static_cast<std::uint64_t>(number * 10)) / 10);
  return digits + (*units[unit] != '\0' ? separator : "") + units[unit];
}

}  // namespace

std::string TextTable::to_string() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_[i].title.size();
    for (const auto& row : rows_) width = std::max(width, std::min(row[i].size(), columns_[i].widest));
    widths.push_back(width);
  }
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = cut(cells[i], std::max(columns_[i].widest, columns_[i].title.size()));
      line +=
          columns_[i].align == Align::left ? fmt::format("{:<{}}  ", cell, widths[i]) : fmt::format("{:>{}}  ", cell, widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  add_line(titles);
  for (const auto& row : rows_) {
    assert(row.size() == columns_.size());
    add_line(row);
  }
  return out;
}

std::string short_label(const std::string& name, int index, std::size_t widest) {
  const std::string end = ":" + std::to_string(index);
  return (name.size() + end.size() > widest ? name.substr(0, widest - end.size() - 2) + ".." : name) + end;
}

std::string short_number(std::uint64_t value) { return scaled(value, 1000, "", {"", "k", "M", "G", "T"}); }

std::string short_size(std::uint64_t kib) { return scaled(kib, 1024, " ", {"KB", "MB", "GB", "TB"}); }

std::string short_bytes(std::uint64_t bytes) {
  return bytes == 0 ? "0" : scaled(bytes, 1024, " ", {"B", "KB", "MB", "GB", "TB"});
}

std::string short_duration(std::uint64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h {}m", seconds / 3600, seconds / 60 % 60);
  if (seconds < 86400 * 100) return fmt::format("{}d {}h", seconds / 86400, seconds / 3600 % 24);
  return fmt::format("{}d", seconds / 86400);
}

}  // namespace gatehouse::master
