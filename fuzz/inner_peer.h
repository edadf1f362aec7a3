#pragma once

// Whoever talks to a gateway's inner port, as the input of a fuzz target has it.

#include <cstdint>
#include <string>
#include <vector>

#include "fake_kernel/fake_kernel.h"
#include "fuzz/script.h"

namespace gatehouse::fuzz {

/// A command that may stand in a frame of the inner port, of all that there are and some that there are not.
std::uint8_t some_command(Script& script);
/// ext_data that some command or other can read, or nonsense. `ids` are connection ids that there may be.
std::string some_ext(Script& script, const std::vector<std::uint32_t>& ids);
/// One of `ids`, or any number.
std::uint32_t some_id(Script& script, const std::vector<std::uint32_t>& ids);

/// Any whole frame.
std::string some_frame(Script& script, const std::vector<std::uint32_t>& ids);
/// A worker_connect that is all right, but for the secret maybe.
std::string some_worker_connect(Script& script, const std::string& secret);
/// What a worker that acknowledges says of its link.
std::string some_acknowledgement(Script& script);

}  // namespace gatehouse::fuzz
