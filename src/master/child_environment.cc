#include "master/child_environment.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

namespace gatehouse::master {
namespace {

constexpr const char* kChild = "GATEHOUSE_CHILD";
constexpr const char* kName = "GATEHOUSE_NAME";
constexpr const char* kListenFds = "GATEHOUSE_LISTEN_FDS";
constexpr const char* kControlFd = "GATEHOUSE_CONTROL_FD";
constexpr const char* kGeneration = "GATEHOUSE_GENERATION";
constexpr std::string_view kPrepare = ":prepare";
constexpr const char* kBlackBoxFd = "GATEHOUSE_BLACK_BOX_FD";
constexpr const char* kConfigurationFd = "GATEHOUSE_CONFIGURATION_FD";

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): called at the start of main()
  std::string copy = value != nullptr ? value : "";
  unsetenv(name);
  return copy;
}

std::optional<int> to_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return parts;
}

/// An inherited descriptor that is open; close-on-exec from now on.
std::optional<int> to_descriptor(std::string_view text) {
  const std::optional<int> fd = to_number(text);
  if (!fd || fcntl(*fd, F_SETFD, FD_CLOEXEC) != 0) return std::nullopt;
  return fd;
}

}  // namespace

Result<std::optional<ChildEnvironment>> ChildEnvironment::take() {
  const std::string child = take_variable(kChild);
  const std::string name = take_variable(kName);
  const std::string listen_fds = take_variable(kListenFds);
  const std::string control_fd = take_variable(kControlFd);
  const std::string generation = take_variable(kGeneration);
  const std::string black_box_fd = take_variable(kBlackBoxFd);
  const std::string configuration_fd = take_variable(kConfigurationFd);
  if (child.empty()) return std::nullopt;

  const auto malformed = [](const char* variable, const std::string& value) {
    return failure(std::string("the variable ") + variable + " (\"" + value +
                   "\") is meant for the master's own children; unset it");
  };
  ChildEnvironment result;
  const std::vector<std::string_view> parts = split(child, ':');
  if (parts.size() != 3) return malformed(kChild, child);
  const std::optional<int> number = to_number(parts[1]);
  const std::optional<int> index = to_number(parts[2]);
  if (!number || !index) return malformed(kChild, child);
  result.kind = parts[0];
  result.name = name;
  result.number = *number;
  result.index = *index;
  for (const std::string_view part : split(listen_fds, ',')) {
    const std::optional<int> fd = to_descriptor(part);
    if (!fd) return malformed(kListenFds, listen_fds);
    result.listen_fds.push_back(*fd);
  }
  const std::optional<int> control = to_descriptor(control_fd);
  if (!control) return malformed(kControlFd, control_fd);
  result.control_fd = *control;
  if (!configuration_fd.empty()) {
    const std::optional<int> configuration = to_descriptor(configuration_fd);
    if (!configuration) return malformed(kConfigurationFd, configuration_fd);
    result.configuration_fd = *configuration;
  }
  if (result.kind == kDescribe) return result;
  const std::optional<int> black_box = to_descriptor(black_box_fd);
  if (!black_box) return malformed(kBlackBoxFd, black_box_fd);
  result.black_box_fd = *black_box;
  std::string_view reloads = generation;
  result.prepare = reloads.ends_with(kPrepare);
  if (result.prepare) reloads.remove_suffix(kPrepare.size());
  const std::optional<int> count = generation.empty() ? 0 : to_number(reloads);
  if (!count) return malformed(kGeneration, generation);
  result.generation = *count;
  return result;
}

std::vector<std::string> ChildEnvironment::variables() const {
  std::string fds;
  for (const int fd : listen_fds) fds += (fds.empty() ? "" : ",") + std::to_string(fd);
  std::vector<std::string> result = {
      std::string(kChild) + "=" + kind + ":" + std::to_string(number) + ":" + std::to_string(index),
      std::string(kName) + "=" + name, std::string(kListenFds) + "=" + fds,
      std::string(kControlFd) + "=" + std::to_string(control_fd), std::string(kBlackBoxFd) + "=" + std::to_string(black_box_fd)};
  if (configuration_fd >= 0) result.push_back(std::string(kConfigurationFd) + "=" + std::to_string(configuration_fd));
  if (generation != 0 || prepare) {
    result.push_back(std::string(kGeneration) + "=" + std::to_string(generation) + std::string(prepare ? kPrepare : ""));
  }
  return result;
}

std::vector<std::string> inherited_environment() {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    bool ours = false;
    for (const std::string_view name : {kChild, kName, kListenFds, kControlFd, kBlackBoxFd, kConfigurationFd, kGeneration}) {
      ours = ours || (text.starts_with(name) && text.substr(name.size()).starts_with('='));
    }
    if (!ours) result.emplace_back(text);
  }
  return result;
}

Reference parse_reference(std::string_view text) {
  const std::size_t colon = text.find(':');
  return {std::string(text.substr(0, colon)), to_number(text.substr(colon + 1)).value_or(0)};
}

}  // namespace gatehouse::master
