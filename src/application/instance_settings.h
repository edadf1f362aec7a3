#pragma once

#include <gatehouse/options.h>

#include <functional>
#include <optional>
#include <string>

#include "application/settings.h"

namespace gatehouse {

/// Takes what `options` say over into `settings`, except where `was_given` says that the command line has that option
/// ("--run-dir").
void apply_instance_options(const InstanceOptions& options, Settings& settings,
                            const std::function<bool(const std::string& name)>& was_given);

/// What is wrong with one option of InstanceOptions, by its name there, and what would be right; nothing when all is well.
struct InstanceProblem {
  std::string option;
  std::string message;
};
std::optional<InstanceProblem> check_instance_options(const InstanceOptions& options);

/// The same for what came of it and of the command line, as one sentence.
std::optional<std::string> describe_problem(const Settings& settings);

}  // namespace gatehouse
