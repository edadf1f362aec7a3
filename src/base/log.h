#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gatehouse {

enum class LogLevel { debug, info, warning, error };
enum class LogFormat { text, json };

/// Where a process writes what it has to say. A value that is copied freely: all copies write to the same place, in the same
/// form.
///
/// A line is `2026-11-21 10:00:00.123 info    gateway web:0 [4711] words`; as JSON it has the keys time, level, process, pid and
/// message. Control characters and what is not UTF-8 are escaped, so that no message can look like two. Not meant for several
/// threads at once, except where one Log object belongs to each.
class Log {
 public:
  /// Writes to standard error, from `info` up, as the process `process` ("gateway web:0", "master").
  explicit Log(std::string_view process = "gatehouse");

  /// Appends to `path` instead, one write() for each line; throws std::runtime_error with the reason when that file cannot be
  /// opened. It is made with mode 0640 and closed on exec.
  static Log to_file(const std::string& path, std::string_view process);

  /// Hands each message, from `info` up and escaped as above, to `write`.
  static Log to_function(std::function<void(LogLevel level, std::string_view message)> write);
  static Log silent();

  /// How many lines could not be written, since the process began, and the errno of the last of them (a full disk, a reader that
  /// is gone). When writing works again a line says how many they were.
  struct Lost {
    std::uint64_t lines = 0;
    int error = 0;
  };
  [[nodiscard]] Lost lost() const;

  /// Opens the file of to_file() again by its name, for whoever moved it away. When it cannot be opened the old one is used on.
  /// Nothing for other logs.
  Result<void> reopen() const;

  void set_level(LogLevel level);
  void set_format(LogFormat format);

  template <class... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) const {
    if (wants(LogLevel::debug)) write(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) const {
    if (wants(LogLevel::info)) write(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void warning(fmt::format_string<Args...> format, Args&&... args) const {
    if (wants(LogLevel::warning)) write(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) const {
    write(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  struct Shared;  // what all copies have in common: the logger, and the form that its messages must have
  explicit Log(std::shared_ptr<Shared> shared);
  [[nodiscard]] bool wants(LogLevel level) const;
  void write(LogLevel level, std::string_view message) const;

  std::shared_ptr<Shared> shared_;
};

/// What a peer sent, safe and short enough for one log line: control and non-ASCII bytes become \xNN, cut after `limit` bytes.
std::string printable(std::string_view bytes, std::size_t limit = 128);

}  // namespace gatehouse
