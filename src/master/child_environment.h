#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gatehouse::master {

/// What the master tells a child about itself, in its environment:
///
///   GATEHOUSE_CHILD=gateway:0:1      kind of role, number of its description within the program, index of the process
///   GATEHOUSE_NAME=web               the name of that description, by which the child finds it
///   GATEHOUSE_LISTEN_FDS=3,4         inherited listening sockets, and the memory that a gateway's processes share,
///                                    in the order that the role expects
///   GATEHOUSE_BLACK_BOX_FD=6         the memory that it shares with the master (base/black_box.h)
///   GATEHOUSE_CONTROL_FD=5           its end of the control channel to the master (JSON lines, see child_control.h)
///   GATEHOUSE_CONFIGURATION_FD=7     the texts of the program's configuration (program_image.h); missing where it has none
///   GATEHOUSE_GENERATION=2:prepare   how many reloads there have been before it; with ":prepare" it is started by one, and does
///                                    not serve before it is told to. Missing for 0
///
/// One that is only to say what the program consists of, and to end (Describer), is told GATEHOUSE_CHILD=describe:0:0, and in
/// GATEHOUSE_CONTROL_FD where to write it.
struct ChildEnvironment {
  static constexpr const char* kDescribe = "describe";

  std::string kind;
  std::string name;
  int number = 0;
  int index = 0;
  std::vector<int> listen_fds;
  int control_fd = -1;
  int black_box_fd = -1;
  int configuration_fd = -1;  // -1: none
  int generation = 0;
  bool prepare = false;

  /// Reads the variables of this process and removes them, so that programs started from here do not take themselves for
  /// children. Nothing when this process is none; a failure when the variables make no sense.
  static Result<std::optional<ChildEnvironment>> take();

  /// "NAME=value" for each variable.
  [[nodiscard]] std::vector<std::string> variables() const;
};

/// This process's environment, without the variables above.
std::vector<std::string> inherited_environment();

/// "gateway:0" as kind and number.
struct Reference {
  std::string kind;
  int number = 0;
};
Reference parse_reference(std::string_view text);

}  // namespace gatehouse::master
