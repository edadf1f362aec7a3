#pragma once

#include <vector>

#include "application/listen_plan.h"
#include "application/program.h"
#include "master/process_spec.h"

namespace gatehouse {

/// The processes of `program` as the master knows them, each with its sockets; a gateway's also with the memory that
/// its processes share. REQUIRES: `sockets` are those of `plan`, opened, and there is one of `shares` for each gateway.
std::vector<master::ProcessSpec> make_process_specs(const Program& program, const std::vector<PlannedListener>& plan,
                                                    const std::vector<net::Socket>& sockets,
                                                    const std::vector<net::Socket>& shares);

}  // namespace gatehouse
