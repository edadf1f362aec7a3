#pragma once

#include <stdexcept>
#include <string>

namespace loadgen {

/// The run cannot begin as the command line asks for it. what() is the line that names the reason; main prints it and ends
/// with 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace loadgen
