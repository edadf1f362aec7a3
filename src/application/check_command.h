#pragma once

#include <vector>

#include "application/program.h"
#include "application/settings.h"
#include "master/program_image.h"

namespace gatehouse {

/// `check`: says whether the program can be started as it is described, and with --against-running what a reload would make of
/// it. Returns the exit status.
int check_program(const Program& program, const Settings& settings, const std::vector<master::ConfigurationText>& configuration);

/// The same for a master that is about to reload (master::Describer): writes a Description and the texts of the configuration to
/// `fd`, or what is wrong to standard error.
int describe_to(int fd, const Program& program, const Settings& settings,
                const std::vector<master::ConfigurationText>& configuration);

}  // namespace gatehouse
