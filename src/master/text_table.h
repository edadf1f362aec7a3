#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gatehouse::master {

/// A table for a terminal: columns as wide as their widest cell, two spaces apart; numbers and what looks like them to the right.
class TextTable {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
    std::size_t widest = 40;  // a longer cell is cut, with ".." at its end
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// REQUIRES: as many cells as there are columns.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// Lines that end with "\n", without spaces before it.
  [[nodiscard]] std::string to_string() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "web:0", in `widest` columns at most: of a long name only the beginning, but the index whole.
std::string short_label(const std::string& name, int index, std::size_t widest);
/// Four digits at most: "999", "12.3k", "4.5M".
std::string short_number(std::uint64_t value);
/// "950 KB", "12.3 MB" from KiB.
std::string short_size(std::uint64_t kib);
/// "0", "950 B", "12.3 KB" from bytes.
std::string short_bytes(std::uint64_t bytes);
/// "12s", "5m 3s", "7h 20m", "12d 4h", "365d".
std::string short_duration(std::uint64_t seconds);

}  // namespace gatehouse::master
