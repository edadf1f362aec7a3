#include "report.h"

#include "clock.h"
#include "json_object.h"

namespace loadgen {
namespace {

double per_second(double count, std::uint64_t duration_ns) { return duration_ns > 0 ? count / to_seconds(duration_ns) : 0; }

JsonObject histogram(const Histogram& histogram) {
  JsonObject json;
  json.add("n", histogram.count()).add("mean", histogram.mean_us(), 1);
  json.add("p50", histogram.percentile_us(.5), 1).add("p90", histogram.percentile_us(.9), 1);
  json.add("p99", histogram.percentile_us(.99), 1).add("p999", histogram.percentile_us(.999), 1);
  json.add("max", histogram.max_us(), 1);
  return json;
}

JsonObject cpu(const CpuUse& share) {
  JsonObject json;
  json.add("user", share.user_s, 3).add("sys", share.system_s, 3);
  return json;
}

/// Echoes, deliveries or cycles: what the rates and the CPU time count by.
double units(const Options& options, const Outcome& outcome) {
  return static_cast<double>(outcome.statistics[options.mode == Mode::churn ? Count::cycles_measured : Count::measured]);
}

void add_setting(JsonObject& json, const Options& options, const Outcome& outcome) {
  json.add("mode", options.mode_name).add("conns", options.connections).add("threads", options.threads).add("size", options.size);
  if (options.mode == Mode::echo) json.add("depth", options.depth);
  if (options.rate) json.add("rate", *options.rate, 1);
  json.add("seconds", to_seconds(outcome.window_ns), 3);
  if (options.mode == Mode::churn) return;
  json.add("up", outcome.up).add("setup_s", to_seconds(outcome.setup_ns), 3);
  json.add("handshakes_per_s", per_second(static_cast<double>(outcome.up), outcome.setup_ns), 1);
  json.add("connect_us", histogram(outcome.statistics.connecting));
}

void add_fan_out(JsonObject& json, const Outcome& outcome, double rate) {
  json.add("published", outcome.published).add("deliveries_per_s", rate, 1);
  json.add("delivery_us", histogram(outcome.statistics.latency));
  json.add("time_to_last_us", histogram(outcome.statistics.time_to_last));
  json.add("expected", outcome.expected).add("delivered", outcome.delivered);
  json.add("publisher_received", outcome.statistics[Count::publisher_received]);
  json.add("subscribers_gone", outcome.subscribers_gone);
}

void add_figures(JsonObject& json, const Options& options, const Outcome& outcome) {
  const Statistics& statistics = outcome.statistics;
  const double rate = per_second(units(options, outcome), outcome.window_ns);
  switch (options.mode) {
    case Mode::idle:
      json.add("up_at_end", outcome.up_at_end).add("pings_answered", statistics[Count::pings]);
      json.add("unsolicited", statistics[Count::unsolicited]);
      break;
    case Mode::echo:
      json.add("msgs_per_s", rate, 1).add("latency_us", histogram(statistics.latency)).add("sent", statistics[Count::sent]);
      break;
    case Mode::fanout:
    case Mode::all: add_fan_out(json, outcome, rate); break;
    case Mode::churn:
      json.add("cycles_per_s", rate, 1).add("cycle_us", histogram(statistics.latency));
      json.add("cycles_total", statistics[Count::cycles]).add("close_reply", statistics[Count::close_frames]);
      json.add("close_eof_only", statistics[Count::close_eofs]);
      break;
  }
  if (options.is_open_loop()) json.add("stalls", statistics[Count::stalls]);
}

void add_errors(JsonObject& json, const Outcome& outcome) {
  const Statistics& statistics = outcome.statistics;
  JsonObject detail;
  detail.add("connect", statistics[Count::connect_failed]).add("handshake", statistics[Count::handshake_failed]);
  detail.add("timeout", statistics[Count::timed_out]).add("closed", statistics[Count::closed_by_server]);
  detail.add("reset", statistics[Count::reset]).add("protocol", statistics[Count::protocol_error]);
  detail.add("mismatch", statistics[Count::mismatch]).add("order", statistics[Count::disorder]);
  detail.add("duplicate", statistics[Count::duplicate]).add("lost", statistics[Count::lost]);
  detail.add("gaps", statistics[Count::gap]).add("message_timeouts", statistics[Count::message_timeout]);
  json.add("errors", statistics.errors()).add("error_detail", detail);
  if (!outcome.first_error.empty()) json.add("first_error", outcome.first_error);
}

void add_cpu(JsonObject& json, const Options& options, const Outcome& outcome) {
  // Without a window there is nothing to divide by; then these are seconds.
  const double duration_s = outcome.window_ns > 0 ? to_seconds(outcome.window_ns) : 1;
  json.add("loadgen_cpu", cpu(outcome.own_cpu / duration_s));
  if (options.pids.empty()) return;
  CpuUse sum;
  for (std::size_t i = 0; i < options.pids.size(); i++) {
    sum += outcome.server_cpu[i];
    json.add("server_cpu_" + std::to_string(options.pids[i]), cpu(outcome.server_cpu[i] / duration_s));
  }
  json.add("server_cpu", cpu(sum / duration_s));
  const double count = units(options, outcome);
  if (count > 0) json.add("server_cpu_us_per_unit", (sum.user_s + sum.system_s) * 1e6 / count, 3);
}

}  // namespace

std::string json_report(const Options& options, const Outcome& outcome) {
  JsonObject json;
  add_setting(json, options, outcome);
  add_figures(json, options, outcome);
  add_errors(json, outcome);
  add_cpu(json, options, outcome);
  return json.text();
}

std::string text_report(const std::string& json) {
  std::string text;
  int depth = 0;
  bool is_quoted = false;
  for (std::size_t i = 1; i + 1 < json.size(); i++) {
    const char character = json[i];
    if (character == '"' && json[i - 1] != '\\') is_quoted = !is_quoted;
    if (!is_quoted && character == '{') depth++;
    if (!is_quoted && character == '}') depth--;
    if (!is_quoted && character == ',' && depth == 0) {
      text += '\n';
      i++;  // the space that follows
    } else if (character != '"') {
      text += character;
    }
  }
  return text;
}

}  // namespace loadgen
