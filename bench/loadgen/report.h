#pragma once

#include <string>

#include "options.h"
#include "outcome.h"

namespace loadgen {

/// The figures of a run as one JSON object on one line. What they mean: README.md.
std::string json_report(const Options& options, const Outcome& outcome);

/// The same figures for people: one member per line, without the quotation marks.
std::string text_report(const std::string& json);

}  // namespace loadgen
