#pragma once

#include <string>
#include <vector>

namespace gatehouse::call {

constexpr int kDone = 0;
constexpr int kFailed = 1;  // not answered, or not sent
constexpr int kMisused = 2;

/// The words behind `call` when it is the command of a `gatehouse` command line, with the options before it; none otherwise.
/// `gatehouse -c FILE call client_count` is one too.
std::vector<std::string> words_of_call(int argc, const char* const* argv);

/// `gatehouse call WORDS...`: carries out one call of GatewayClient. Gives the exit status.
int run_call(const std::vector<std::string>& words);

/// The text of `gatehouse call --help`.
std::string call_help();

}  // namespace gatehouse::call
