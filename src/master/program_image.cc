#include "master/program_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

namespace gatehouse::master {
namespace {

constexpr const char* kOwnFile = "/proc/self/exe";

Result<std::shared_ptr<const ProgramImage>> open_image(const std::string& path, std::vector<ConfigurationText> configuration) {
  net::Socket file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  // One that may be executed and not read: backtraces have no lines then, and everything else is as always.
  if (!file.valid() && errno == EACCES) file = net::Socket(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!file.valid()) return os_failure("cannot execute " + path, errno);
  return std::make_shared<const ProgramImage>(std::move(file), std::move(configuration));
}

/// "17 " from the front of `text`.
std::optional<std::size_t> take_number(std::string_view& text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data() + text.size() || *end != ' ') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return value;
}

}  // namespace

Result<std::shared_ptr<const ProgramImage>> ProgramImage::open(const std::string& path,
                                                               std::vector<ConfigurationText> configuration) {
  return open_image(path, std::move(configuration));
}

Result<std::shared_ptr<const ProgramImage>> ProgramImage::of_this_process(std::vector<ConfigurationText> configuration) {
  return open_image(kOwnFile, std::move(configuration));
}

std::string encode_configuration(const std::vector<ConfigurationText>& configuration) {
  std::string all;
  for (const ConfigurationText& each : configuration) {
    all += std::to_string(each.path.size()) + " " + std::to_string(each.text.size()) + " " + each.path + each.text;
  }
  return all;
}

Result<net::Socket> write_configuration(const std::vector<ConfigurationText>& configuration) {
  const std::string all = encode_configuration(configuration);
  net::Socket file(memfd_create("gatehouse-configuration", MFD_CLOEXEC));
  if (!file.valid()) return os_failure("cannot make a file in memory", errno);
  for (std::string_view left = all; !left.empty();) {
    const ssize_t written = write(file.fd(), left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return os_failure("cannot write a file in memory", errno);
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  return file;
}

Result<std::vector<ConfigurationText>> read_configuration(int fd) {
  struct stat about{};
  if (fstat(fd, &about) != 0) return os_failure("cannot read the inherited configuration", errno);
  std::string all(static_cast<std::size_t>(about.st_size), '\0');
  for (std::size_t at = 0; at < all.size();) {
    const ssize_t got = pread(fd, all.data() + at, all.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failure("the inherited configuration is cut off");
    at += static_cast<std::size_t>(got);
  }
  return decode_configuration(all);
}

Result<std::vector<ConfigurationText>> decode_configuration(std::string_view bytes) {
  std::vector<ConfigurationText> configuration;
  for (std::string_view left = bytes; !left.empty();) {
    const auto path_size = take_number(left);
    const auto text_size = path_size ? take_number(left) : std::nullopt;
    if (!text_size || *path_size > left.size() || *text_size > left.size() - *path_size) {
      return failure("the configuration that was handed on makes no sense");
    }
    configuration.push_back({std::string(left.substr(0, *path_size)), std::string(left.substr(*path_size, *text_size))});
    left.remove_prefix(*path_size + *text_size);
  }
  return configuration;
}

}  // namespace gatehouse::master
