#pragma once

#include <deque>
#include <string>
#include <vector>

#include "master/program_image.h"

namespace gatehouse {

/// The texts of a program's configuration: read from the files in the master, inherited from it in its children. Each is read
/// once, so that whoever asks twice is not told two things.
class ConfigurationTexts {
 public:
  /// The texts come from this descriptor of a child; -1: it reads the files. Throws std::runtime_error when they cannot be read.
  void inherit(int fd);
  /// Throws as Application::read_configuration(). The reference stays valid.
  const std::string& read(const std::string& path);
  /// What the master has taken over since this process's configuration was read (LiveSettings), in a child; empty for nothing.
  [[nodiscard]] const std::string& settings() const { return settings_; }
  /// Those that have been read so far.
  [[nodiscard]] std::vector<master::ConfigurationText> texts() const { return {texts_.begin(), texts_.end()}; }

 private:
  std::deque<master::ConfigurationText> texts_;
  std::string settings_;
};

}  // namespace gatehouse
