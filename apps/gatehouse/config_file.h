#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "application/option_problem.h"
#include "application/program.h"
#include "base/result.h"

namespace gatehouse::config {

/// The configuration of the program gatehouse: a register and gateways from a TOML file, and where each key stands in it. Keys
/// are the options of RegisterOptions, GatewayOptions and InstanceOptions under the same names, except that `register` is
/// register_addresses. Files and directories that are not absolute count from the directory of the configuration file.
class ConfigFile {
 public:
  /// Fails with "PATH:LINE: what is wrong and what would be right" when the file cannot be read, is no TOML, has a key that is
  /// not known or a value of the wrong type; and when a value is impossible (check_options).
  static Result<ConfigFile> load(const std::string& path);
  /// The same from `text`; `path` is for messages.
  static Result<ConfigFile> parse(std::string_view text, const std::string& path);

  [[nodiscard]] const Program& program() const { return program_; }
  [[nodiscard]] const InstanceOptions& instance() const { return instance_; }
  /// Only the table [instance] of `text`, for commands that must work whatever else stands there. Fails as parse() when it is no
  /// TOML, or that table is wrong.
  static Result<InstanceOptions> parse_instance(std::string_view text, const std::string& path);

  /// A user or group in it that this machine does not have, as a line of this file. Only a process that is to start others needs
  /// to know.
  [[nodiscard]] std::optional<std::string> find_unknown_user() const;

  /// `problem` as a line of this file.
  [[nodiscard]] std::string locate(const OptionProblem& problem) const;

 private:
  /// The line of each key of one table that was given; under "" that of the table itself.
  using Lines = std::map<std::string, std::size_t>;
  class Reader;

  std::string path_;
  Program program_{.name = "gatehouse"};
  InstanceOptions instance_;
  Lines instance_lines_;
  std::vector<Lines> register_lines_;
  std::vector<Lines> gateway_lines_;
};

}  // namespace gatehouse::config
