#pragma once

#include <string>

namespace gatehouse {

/// A name for one run of a master, from it to the processes that it starts, in the environment: GATEHOUSE_INSTANCE, 8 hexadecimal
/// digits. Gateways tell workers apart by it that have one name and come from one address: two programs on one machine, or
/// machines behind one address. It stays as long as the master runs, so that a worker that is started again has its clients
/// again.

/// In the master: draws one, for all processes that are started from now on.
void draw_instance_name();

/// In a process that was started so: takes it out of the environment. Empty when there is none.
std::string take_instance_name();

}  // namespace gatehouse
