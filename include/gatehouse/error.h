#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gatehouse {

/// A question that was not answered by every gateway it went to, or a command that could not be sent. `what()` is one sentence.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, std::vector<std::string> gateways = {})
      : std::runtime_error(what), gateways_(std::move(gateways)) {}

  /// The inner addresses ("127.0.0.1:2300") of the gateways that are missing from the answer.
  [[nodiscard]] const std::vector<std::string>& gateways() const { return gateways_; }

 private:
  std::vector<std::string> gateways_;
};

}  // namespace gatehouse
