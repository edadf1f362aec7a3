#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "master/child_questions.h"
#include "master/supervised_process.h"

namespace gatehouse::master {

/// Gives running processes the settings that have been taken over (ProcessSpec::settings).
///
/// Thread rule: the loop's thread.
class SettingsTakeover {
 public:
  struct Outcome {
    std::string failure;              // of one that cannot use them: who, and why; all others have them
    std::vector<std::string> silent;  // who has not answered yet, and will have them when it does
  };
  SettingsTakeover(const std::vector<SupervisedProcess>& processes, ChildQuestions& questions)
      : processes_(processes), questions_(questions) {}

  /// To every process of these. `done` is called once, later or now.
  void give(const std::vector<const ProcessSpec*>& specs, const std::function<void(const Outcome& outcome)>& done);

  static constexpr std::chrono::milliseconds kTimeout{5'000};

 private:
  const std::vector<SupervisedProcess>& processes_;
  ChildQuestions& questions_;
};

}  // namespace gatehouse::master
