#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::php {

/// What a start file of GatewayWorker (start_gateway.php, start.php) says, as far as that can be seen without running it.
struct StartFile {
  struct Finding {
    int line = 0;
    std::string text;  // what stands there, and what becomes of it
  };
  /// Code that runs in PHP's gateway process and will run nowhere: callbacks that are assigned on the gateway, classes of its own
  /// for it or for its protocol, routers. A check of a token or an Origin in it lets everybody in when it is gone.
  std::vector<Finding> lost;
  /// Values that could not be read, and settings that mean nothing here.
  std::vector<Finding> notes;
  /// The same gateways and register for a gatehouse.toml; empty when the file makes none.
  std::string toml;
};

/// Looks at assignments and `new` alone, wherever they stand; files that it includes are to be looked at on their own.
StartFile read_start_file(std::string_view source);

/// `gatehouse check --php FILE`: writes what was found to standard output. 0 when nothing gets lost, 1 when something does or the
/// file cannot be read or makes neither gateway nor register.
int check_start_file(const std::string& path);

}  // namespace gatehouse::php
