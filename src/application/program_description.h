#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "application/option_problem.h"
#include "application/option_table.h"
#include "application/program.h"
#include "application/settings.h"
#include "master/program_image.h"

namespace gatehouse {

/// What a program consists of, with the values of all options, as the master and `check --against-running` compare it:
///
///   {"instance":{"log_level":"info",...},"register":[{"name":...},...],"gateway":[...],"worker":[...],"process":[...],
///    "files":["/etc/gatehouse/gatehouse.toml"],"hash":"9f86d0...","given":["run_dir"]}
///
/// `given` are the options of the instance that stand on its command line, which no configuration changes.
///
/// It holds secrets: it goes through descriptors that only the instance's own user has, and into no log.
using Description = nlohmann::ordered_json;

Description describe(const Program& program, const Settings& settings,
                     const std::vector<master::ConfigurationText>& configuration);

/// SHA-256 of the configuration, in hexadecimal digits: as sha256sum gives it for the one file, or of several behind each other;
/// where there is none, of the options.
std::string configuration_hash(const Description& description, const std::vector<master::ConfigurationText>& configuration);

/// One thing that is different.
struct DescriptionChange {
  std::string what;  // `gateway "web": max_connections: 100, was 0`
  TakesEffect effect = TakesEffect::live;
};

/// What comes of a description when a running instance takes it over.
struct DescriptionPlan {
  std::vector<DescriptionChange> changes;
  /// What runs afterwards: what is live or of new processes as in the new description, the rest as in the running one. Gateways
  /// keep their places, and new ones stand behind them.
  Description effective;
};

DescriptionPlan compare(const Description& running, const Description& next);

/// The roles of a description again, without what is a function.
Program to_program(const Description& description);

/// "1 register and 2 gateways (5 processes)"
std::string summarize(const Program& program);

/// How long the register and inner ports accept the secret of before beside the new one.
inline constexpr std::chrono::hours kOldSecretTime{1};

}  // namespace gatehouse
