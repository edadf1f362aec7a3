#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/socket.h"

namespace gatehouse::master {

/// A configuration file of the program, as it was when it was read.
struct ConfigurationText {
  std::string path;  // as the program names it
  std::string text;
};

/// What processes are started from: the program file, held open, and the texts of its configuration. Both stay what they were,
/// whatever becomes of the files on disk, so that a process that is started again is the one that was there before.
class ProgramImage {
 public:
  /// The file that stands at `path` now.
  static Result<std::shared_ptr<const ProgramImage>> open(const std::string& path, std::vector<ConfigurationText> configuration);
  /// The file that this process runs, whether or not it is still there.
  static Result<std::shared_ptr<const ProgramImage>> of_this_process(std::vector<ConfigurationText> configuration);

  /// For execution, and for addr2line, which reads it.
  [[nodiscard]] int program_fd() const { return program_.fd(); }
  /// Empty: a process reads them itself.
  [[nodiscard]] const std::vector<ConfigurationText>& configuration() const { return configuration_; }

  ProgramImage(net::Socket program, std::vector<ConfigurationText> configuration)
      : program_(std::move(program)), configuration_(std::move(configuration)) {}

 private:
  net::Socket program_;
  std::vector<ConfigurationText> configuration_;
};

/// The texts in one, and back.
std::string encode_configuration(const std::vector<ConfigurationText>& configuration);
Result<std::vector<ConfigurationText>> decode_configuration(std::string_view bytes);

/// A file in memory with these texts, for a child to inherit: nobody else finds it, unlike the environment.
Result<net::Socket> write_configuration(const std::vector<ConfigurationText>& configuration);
/// Its contents. Leaves the descriptor's position alone.
Result<std::vector<ConfigurationText>> read_configuration(int fd);

}  // namespace gatehouse::master
