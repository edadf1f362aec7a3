#pragma once

#include <memory>
#include <string>
#include <vector>

#include "application/program.h"
#include "application/settings.h"
#include "master/program_image.h"

namespace gatehouse {

/// `start`: checks everything, opens every listening socket, and only then starts the processes; returns when they have stopped.
/// As a daemon (Settings::daemon) the process that was called returns when they are ready. `arguments` are the program's own,
/// which its children get too; they are started from `image`.
int start_instance(const Program& program, const Settings& settings, const std::vector<std::string>& arguments,
                   std::shared_ptr<const master::ProgramImage> image);

}  // namespace gatehouse
