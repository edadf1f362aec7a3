// The program gatehouse: a register and gateways from a configuration file, for business workers that are started elsewhere; and
// calls to a running cluster.
#include <gatehouse/application.h>

#include <cstdio>
#include <string>
#include <vector>

#include "call_command.h"
#include "config_file.h"

namespace {

using gatehouse::config::ConfigFile;

int complain(const std::string& line) {
  std::fputs((line + "\n").c_str(), stderr);
  return 1;
}

int check(const std::string& path) {
  const auto file = ConfigFile::load(path);
  if (!file) return complain(file.error().message);
  std::fputs((path + " is fine: " + file->summary() + "\n").c_str(), stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> call = gatehouse::call::words_of_call(argc, argv);
  if (!call.empty()) return gatehouse::call::run_call(call);
  gatehouse::Application app("gatehouse");
  std::string path = "gatehouse.toml";
  app.option("-c,--config", path, "The configuration file");
  app.command("check", "Say whether the configuration file is fine, and what is wrong with it", [&path] { return check(path); });
  app.command("call", "Command or ask a running cluster; \"gatehouse call --help\" lists the calls",
              [] { return complain("gatehouse: call stands before its options, as in \"gatehouse call client_count --json\""); });
  app.before_command([&](const std::string& command) {
    const auto instance = ConfigFile::load_instance(path);
    if (instance) return app.add(*instance);
    // What runs must be stoppable whatever the file has become. These say themselves what is wrong with it.
    if (command == "start" || command == "restart" || command == "check") return;
    complain(instance.error().message + "; going on without its [instance]");
  });
  if (const auto status = app.parse(argc, argv)) return *status;

  const auto file = ConfigFile::load(path);
  if (!file) return complain(file.error().message);
  for (const auto& options : file->program().registers) app.add(options);
  for (const auto& options : file->program().gateways) app.add(options);
  return app.run(argc, argv);
}
