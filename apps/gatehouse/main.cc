// The program gatehouse: a register and gateways from a configuration file, for business workers that are started elsewhere.
#include <gatehouse/application.h>

#include <cstdio>
#include <string>

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
  gatehouse::Application app("gatehouse");
  std::string path = "gatehouse.toml";
  app.option("-c,--config", path, "The configuration file");
  app.command("check", "Say whether the configuration file is fine, and what is wrong with it", [&path] { return check(path); });
  if (const auto status = app.parse(argc, argv)) return *status;

  const auto file = ConfigFile::load(path);
  if (!file) return complain(file.error().message);
  for (const auto& options : file->program().registers) app.add(options);
  for (const auto& options : file->program().gateways) app.add(options);
  return app.run(argc, argv);
}
