#include "options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "usage_error.h"

namespace loadgen {
namespace {

/// More connections from one address would run out of ports: the system's default range has 28,000.
constexpr std::uint64_t kConnectionsPerSource = 20'000;
/// Ports that wait in TIME_WAIT add up with every cycle.
constexpr std::uint64_t kSourcesOfChurn = 16;
/// 'M', the sequence number and the time, before the filler.
constexpr std::size_t kSmallestFanOutSize = 33;

constexpr const char* kModeNames[] = {"idle", "echo", "fanout", "all", "churn"};

struct Flag {
  const char* name;
  bool Options::* target;
  bool value;
};

constexpr Flag kFlags[] = {
    {"--json", &Options::json, true},
    {"--touch", &Options::touch, true},
    {"--no-join", &Options::join, false},
    {"--abrupt", &Options::abrupt, true},
};

struct Number {
  const char* name;
  double lowest;
  double highest;
  std::uint64_t Options::* whole;  ///< one of these two; a fraction is cut off for a whole number
  double Options::* real;
};

constexpr Number kNumbers[] = {
    {"--conns", 1, 2e6, &Options::connections, nullptr},
    {"--threads", 1, 64, &Options::threads, nullptr},
    {"--srcs", 0, 60000, &Options::sources, nullptr},
    {"--inflight", 1, 100000, &Options::inflight, nullptr},
    {"--timeout", 0.1, 300, nullptr, &Options::timeout_s},
    {"--setup-timeout", 1, 1800, nullptr, &Options::setup_timeout_s},
    {"--ramp", 0, 1e7, &Options::ramp, nullptr},
    {"--hold", 0, 3600, &Options::hold_s, nullptr},
    {"--depth", 1, 65536, &Options::depth, nullptr},
    {"--size", 17, 16 << 20, &Options::size, nullptr},  // 'E' and the sequence number, before the filler
    {"--secs", 0.1, 600, nullptr, &Options::seconds},
    {"--warmup", 0, 60, nullptr, &Options::warmup_s},
    {"--drain", 0, 60, nullptr, &Options::drain_s},
    {"--window", 1, 10000, &Options::window, nullptr},
};

/// One option after the other, each with its value.
class Reader {
 public:
  Reader(const std::vector<std::string>& arguments, Options& options) : arguments_(arguments), options_(options) {}

  /// Whether there was a --url.
  bool read_all() {
    for (next_ = 1; next_ < arguments_.size();) {
      name_ = arguments_[next_++];
      if (!read_flag() && !read_number() && !read_text()) throw UsageError("unknown option " + name_);
    }
    return has_url_;
  }

 private:
  std::string value() {
    if (next_ == arguments_.size()) throw UsageError(name_ + " needs a value");
    return arguments_[next_++];
  }

  double number(double lowest, double highest) {
    const std::string text = value();
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(number >= lowest && number <= highest)) {  // so written, NaN is refused as well
      char range[64];
      std::snprintf(range, sizeof range, "%g to %g", lowest, highest);
      throw UsageError(name_ + ": a number from " + range + ", not '" + text + "'");
    }
    return number;
  }

  bool read_flag() {
    const auto* flag = std::ranges::find(kFlags, name_, &Flag::name);
    if (flag == std::end(kFlags)) return false;
    options_.*flag->target = flag->value;
    return true;
  }

  bool read_number() {
    if (name_ == "--rate") {
      options_.rate = number(0, 1e7);
      return true;
    }
    const auto* found = std::ranges::find(kNumbers, name_, &Number::name);
    if (found == std::end(kNumbers)) return false;
    const double read = number(found->lowest, found->highest);
    if (found->whole != nullptr)
      options_.*found->whole = static_cast<std::uint64_t>(read);
    else
      options_.*found->real = read;
    return true;
  }

  bool read_text() {
    if (name_ == "--url") {
      options_.url = parse_url(value());
      has_url_ = true;
    } else if (name_ == "--pub") {
      options_.publisher_url = parse_url(value());
    } else if (name_ == "--hello") {
      options_.hello = value();
    } else if (name_ == "--group") {
      options_.group = value();
    } else if (name_ == "--pid") {
      read_pids(value());
    } else {
      return false;
    }
    return true;
  }

  /// What is no number is left out, so that a list with an empty place in it will do.
  void read_pids(const std::string& list) {
    for (std::size_t at = 0; at < list.size();) {
      const std::size_t comma = std::min(list.find(',', at), list.size());
      const int pid = static_cast<int>(std::strtol(list.substr(at, comma - at).c_str(), nullptr, 10));
      if (pid > 0) options_.pids.push_back(pid);
      at = comma + 1;
    }
  }

  const std::vector<std::string>& arguments_;
  Options& options_;
  std::size_t next_ = 0;
  std::string name_;
  bool has_url_ = false;
};

/// What one option says about another.
void complete(Options& options) {
  if (options.is_fan_out() && options.size < kSmallestFanOutSize) throw UsageError("fanout and all need --size of 33 or more");
  if (options.group.empty() || options.group.find_first_of("\n\t") != std::string::npos) throw UsageError("bad group name");
  if (options.sources == 0 && options.mode == Mode::churn) options.sources = kSourcesOfChurn;
  if (options.sources == 0 && options.connections > kConnectionsPerSource)
    options.sources = (options.connections + kConnectionsPerSource - 1) / kConnectionsPerSource;
  options.threads = std::min(options.threads, options.connections);
  if (options.mode == Mode::churn || options.mode == Mode::idle) options.depth = 1;  // they send one message, if any
}

}  // namespace

std::optional<Options> parse_options(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return std::nullopt;
  const auto* mode = std::ranges::find(kModeNames, arguments[0]);
  if (mode == std::end(kModeNames)) return std::nullopt;
  Options options;
  options.mode = static_cast<Mode>(mode - std::begin(kModeNames));
  options.mode_name = arguments[0];
  if (!Reader(arguments, options).read_all()) return std::nullopt;
  complete(options);
  return options;
}

const char* usage() {
  return "usage: loadgen idle|echo|fanout|all|churn --url ws://127.0.0.1:PORT/path | text://127.0.0.1:PORT [options]\n"
         "  --conns N --threads T --json --srcs K --inflight N --timeout S --pid P[,P..]\n"
         "  idle:   --ramp R/s --hold S --touch --hello STR\n"
         "  echo:   --depth D --size B --secs S --warmup W [--rate R: open loop]\n"
         "  fanout/all: --rate R (0 = closed loop) --window W --size B --secs S --warmup W --group G --no-join --pub URL\n"
         "  churn:  --conns C (concurrent) --secs S --size B --abrupt\n";
}

}  // namespace loadgen
