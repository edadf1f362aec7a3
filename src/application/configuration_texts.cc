#include "application/configuration_texts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gatehouse/application.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "net/socket.h"

namespace gatehouse {
namespace {

std::string read_file(const std::string& path) {
  const auto fail = [&path](int error) -> std::string {
    throw std::system_error(error, std::generic_category(), "cannot read the configuration file " + path);
  };
  const net::Socket file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail(errno);
  std::string text;
  std::array<char, 16 * 1024> piece{};
  while (true) {
    const ssize_t got = ::read(file.fd(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno);
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > Application::kMaxConfigurationSize) {
      throw std::runtime_error(
          fmt::format("the configuration file {} is over {} bytes; is it one?", path, Application::kMaxConfigurationSize));
    }
  }
}

}  // namespace

void ConfigurationTexts::inherit(int fd) {
  if (fd < 0) return;
  const net::Socket inherited(fd);
  auto read = master::read_configuration(inherited.fd());
  if (!read) throw std::runtime_error(read.error().message);
  for (master::ConfigurationText& each : *read) {
    if (each.path.empty()) {
      settings_ = std::move(each.text);
    } else {
      texts_.push_back(std::move(each));
    }
  }
}

const std::string& ConfigurationTexts::read(const std::string& path) {
  for (const master::ConfigurationText& each : texts_) {
    if (each.path == path) return each.text;
  }
  return texts_.emplace_back(master::ConfigurationText{path, read_file(path)}).text;
}

}  // namespace gatehouse
