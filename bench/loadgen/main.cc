// loadgen: an independent load generator for message gateways. It shares no code with the server that it measures.
// The contract the server has to fulfil and the meaning of every figure: README.md.

#include <cstdio>

#include "load.h"
#include "options.h"
#include "report.h"
#include "usage_error.h"

namespace {

constexpr int kErrorsCounted = 1;
constexpr int kUsage = 2;

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto options = loadgen::parse_options({argv + (argc > 0 ? 1 : 0), argv + argc});
    if (!options) {
      std::fputs(loadgen::usage(), stderr);
      return kUsage;
    }
    const loadgen::Outcome outcome = loadgen::Load(*options).run();
    const std::string json = loadgen::json_report(*options, outcome);
    std::puts(options->json ? json.c_str() : loadgen::text_report(json).c_str());
    return outcome.statistics.errors() > 0 ? kErrorsCounted : 0;
  } catch (const loadgen::UsageError& error) {
    std::fprintf(stderr, "loadgen: %s\n", error.what());
    return kUsage;
  }
}
