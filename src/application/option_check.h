#pragma once

#include <optional>

#include "application/option_problem.h"
#include "application/program.h"

namespace gatehouse {

/// The first thing that is wrong with the options of `program`, whatever can be told without opening anything.
std::optional<OptionProblem> check_options(const Program& program);

}  // namespace gatehouse
