#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "url.h"

namespace loadgen {

enum class Mode { idle, echo, fanout, all, churn };

/// The command line, checked. What each option means: README.md and usage().
struct Options {
  Mode mode = Mode::idle;
  std::string mode_name;
  Url url;
  std::optional<Url> publisher_url;  ///< where the publisher connects to when not to `url`
  std::uint64_t connections = 100;
  std::uint64_t threads = 1;
  std::uint64_t ramp = 0;  ///< new connections per second; 0: as fast as `inflight` allows
  std::uint64_t hold_s = 10;
  std::uint64_t depth = 1;
  std::uint64_t size = 128;  ///< bytes of a message
  std::uint64_t inflight = 512;
  std::uint64_t sources = 0;  ///< source addresses; 0: the system's own
  std::uint64_t window = 1;
  std::optional<double> rate;  ///< messages per second; 0 is a closed loop, as none is
  double seconds = 5;
  double warmup_s = 1;
  double timeout_s = 10;
  double setup_timeout_s = 300;
  double drain_s = 3;
  std::string group = "g1";
  std::string hello;
  std::vector<int> pids;
  bool json = false;
  bool join = true;
  bool touch = false;
  bool abrupt = false;

  [[nodiscard]] bool is_fan_out() const { return mode == Mode::fanout || mode == Mode::all; }
  [[nodiscard]] bool is_open_loop() const { return rate.value_or(0) > 0; }
};

/// Throws UsageError. Nothing when there is no mode or no --url: then the usage is the best answer.
std::optional<Options> parse_options(const std::vector<std::string>& arguments);

const char* usage();

}  // namespace loadgen
