#pragma once

#include <stdexcept>
#include <string>
#include <system_error>

namespace gatehouse::net {

/// Thrown by Loop::run(): descriptors of its own are gone, so somebody else in this process has closed them. Nothing on this loop
/// can go on: its numbers may be other files by now.
class DescriptorsLost : public std::runtime_error {
 public:
  DescriptorsLost(const char* call, int error)
      : std::runtime_error(std::string("descriptors of this process have been closed by code that did not open them (") + call +
                           ": " + std::generic_category().message(error) + "), as closefrom() and close_range() do") {}
};

}  // namespace gatehouse::net
