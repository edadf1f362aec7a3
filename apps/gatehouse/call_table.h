#pragma once

#include <gatehouse/gateway_client.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gatehouse::call {

/// One argument of a call, as it stands behind its name on the command line.
struct Parameter {
  std::string_view name;
  bool optional = false;
  bool many = false;  // one or more; one parameter of a call at most
};

/// What the command line says about a call.
struct Arguments {
  /// The words for each parameter; none for an optional one that was left out.
  std::vector<std::vector<std::string>> words;
  SendOptions options;
  bool binary = false;

  [[nodiscard]] const std::string& one(std::size_t i) const { return words.at(i).at(0); }
  [[nodiscard]] const std::vector<std::string>& many(std::size_t i) const { return words.at(i); }
  [[nodiscard]] Data data(std::size_t i) const { return binary ? gatehouse::binary(one(i)) : Data(one(i)); }
  [[nodiscard]] std::optional<Data> last_words(std::size_t i) const;
  /// Throws std::invalid_argument when the word is no duration.
  [[nodiscard]] std::optional<std::chrono::milliseconds> interval(std::size_t i) const;
  /// Throws std::invalid_argument when the word is no JSON.
  [[nodiscard]] Value json(std::size_t i) const;
};

enum class Kind {
  message,   // a command with something to send, to some but others
  closing,   // a command that may have something to send last
  command,   // any other
  question,  // gives a value
};

/// A call of GatewayClient, as a shell has it: the one table that help, parsing and carrying out go by.
struct Call {
  std::string_view name;
  Kind kind;
  std::vector<Parameter> parameters;
  std::string_view help;
  Value (*run)(GatewayClient& client, const Arguments& arguments);  // null for commands
  bool one_value = false;  // an object is the value that was asked for, not a list of answers with names

  /// "send_to_group GROUP... DATA"
  [[nodiscard]] std::string usage() const;
  /// Whether the parameter is something that clients are sent, and "-" stands for the standard input.
  [[nodiscard]] bool is_data(std::size_t i) const;
};

/// In the order of the help.
const std::vector<Call>& all_calls();
/// Null when there is none of this name.
const Call* find_call(std::string_view name);
std::vector<std::string> call_names();

/// `words` given to the parameters of `call`; fails when they are too few or too many.
Result<std::vector<std::vector<std::string>>> distribute(const Call& call, const std::vector<std::string>& words);

}  // namespace gatehouse::call
