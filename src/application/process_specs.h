#pragma once

#include <vector>

#include "application/listen_plan.h"
#include "application/program.h"
#include "master/process_spec.h"

namespace gatehouse {

/// The processes of `program` as the master knows them, each with its sockets. REQUIRES: `sockets` are those of `plan`, opened.
std::vector<master::ProcessSpec> make_process_specs(const Program& program, const std::vector<PlannedListener>& plan,
                                                    const std::vector<net::Socket>& sockets);

}  // namespace gatehouse
