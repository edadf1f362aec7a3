#pragma once

#include <cstddef>
#include <string>

#include "application/program.h"

namespace gatehouse {

/// What a description is of.
enum class RoleKind { program, register_server, gateway, worker, process };

/// "gateway", as tables, log lines and the child's environment name it.
const char* to_string(RoleKind kind);

/// One thing wrong with the description of a program: which option of which role, and a sentence that says what is wrong and what
/// would be right.
struct OptionProblem {
  RoleKind kind = RoleKind::program;
  std::size_t number = 0;  // among those of its kind, in the order in which they were added
  std::string option;      // as it is spelt in options.h; empty for the whole role
  std::string message;
};

/// `gateway "web": listen: ...`
std::string to_line(const OptionProblem& problem, const Program& program);

/// How many roles of this kind the program has.
std::size_t count_of(const Program& program, RoleKind kind);

/// The name of a role of the program, as given.
std::string name_of(const Program& program, RoleKind kind, std::size_t number);

}  // namespace gatehouse
