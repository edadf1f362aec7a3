#pragma once

#include <string>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace gatehouse {

/// Why an operating-system or network call did not work: one human sentence, and the errno behind it (0 when there is none).
struct Failure {
  std::string message;
  int os_error = 0;
};

/// The value, or the reason why there is none. For failures of the surroundings; bad bytes from a peer are codec
/// statuses, and bugs are assertions (see ARCHITECTURE.md, "Errors").
template <class T>
using Result = tl::expected<T, Failure>;

/// A failure made of `what` and the text of `os_error`, as in "cannot listen on 0.0.0.0:80: Permission denied".
inline tl::unexpected<Failure> os_failure(std::string what, int os_error) {
  return tl::unexpected(Failure{std::move(what) + ": " + std::generic_category().message(os_error), os_error});
}

inline tl::unexpected<Failure> failure(std::string what) { return tl::unexpected(Failure{std::move(what), 0}); }

}  // namespace gatehouse
