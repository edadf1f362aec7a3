#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "application/live_settings.h"
#include "application/program_description.h"

namespace gatehouse {

/// The configuration that an instance runs with, as its master knows it: that of the start, and what reloads have taken over
/// since.
class RunningConfiguration {
 public:
  explicit RunningConfiguration(Description start) : description_(std::move(start)) {}

  /// What a new description comes to, before any of it is in force.
  struct Step {
    DescriptionPlan plan;
    /// What the processes of each role are given (LiveSettings::to_text), by "gateway:web".
    std::map<std::string, std::string> settings;
    struct OldSecret {
      std::string key;
      std::int64_t until_unix_ms = 0;
    };
    std::map<std::string, OldSecret> old_secrets;
  };
  [[nodiscard]] Step prepare(const Description& next) const;
  /// It is in force now.
  void commit(const Step& step);

  /// The files of the present configuration as they are now. Throws as Application::read_configuration().
  [[nodiscard]] std::vector<master::ConfigurationText> read_again() const;

  [[nodiscard]] const Description& description() const { return description_; }
  /// For `status`: {"hash":"9f86...","files":[...],"taken_over":"2026-11-29T10:00:00Z","age_seconds":60,"needs_restart":[...]}.
  [[nodiscard]] nlohmann::ordered_json status() const;

 private:
  using Clock = std::chrono::steady_clock;

  Description description_;
  std::map<std::string, Step::OldSecret> old_secrets_;
  std::vector<std::string> needs_restart_;  // what differs in the configuration that was read last
  Clock::time_point since_ = Clock::now();
  std::chrono::system_clock::time_point taken_over_ = std::chrono::system_clock::now();
};

}  // namespace gatehouse
