#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "master/identity.h"
#include "master/program_image.h"
#include "net/loop.h"

namespace gatehouse::master {

/// What a program would be if it were started now.
struct Described {
  std::shared_ptr<const ProgramImage> image;  // the program file, and the texts of configuration that it has read
  std::string description;                    // in words that the program's master understands
};

/// Asks the program file as it is now, with the configuration as it is now, what it would consist of: it is executed once more,
/// to say so and end (ChildEnvironment::kDescribe). So neither a broken configuration nor a broken program touches what runs.
///
/// Thread rule: the loop's thread.
class Describer {
 public:
  /// Fails with the last line that the program wrote to standard error, which says what is wrong with its configuration.
  using Done = std::function<void(Result<Described> described)>;

  explicit Describer(net::Loop& loop) : loop_(loop) {}
  Describer(const Describer&) = delete;
  Describer& operator=(const Describer&) = delete;
  ~Describer();

  struct Question {
    std::string program;                 // the file
    std::vector<std::string> arguments;  // with argv[0]
    /// What it need not, and perhaps may not, read by itself.
    std::vector<ConfigurationText> configuration = {};
    /// Who it is: not root, where other processes are not, for the file may be somebody else's by now.
    std::optional<Identity> identity = {};
  };
  /// `done` is called once, later or now. REQUIRES: !is_busy().
  void describe(const Question& question, Done done);
  [[nodiscard]] bool is_busy() const { return static_cast<bool>(done_); }
  /// Looks whether it has ended: to be called at SIGCHLD.
  void reap();
  [[nodiscard]] bool owns(pid_t pid) const { return pid != 0 && pid == pid_; }

  static constexpr std::chrono::milliseconds kTimeout{30'000};
  static constexpr std::size_t kMostOutput = 8 * 1024 * 1024;
  static constexpr std::size_t kMostComplaint = 64 * 1024;

 private:
  struct Stream {
    net::Socket end;
    net::WatchId watch;
    std::string text;
    std::size_t most = 0;
  };
  bool open(Stream& stream, std::size_t most, net::Socket& writing, std::string& problem);
  void end_child();
  void read(Stream& stream);
  void close(Stream& stream);
  void finish();
  void fail(const std::string& why);
  void tell(Result<Described> described);

  net::Loop& loop_;
  std::shared_ptr<const ProgramImage> image_;
  Done done_;
  pid_t pid_ = 0;
  int status_ = 0;
  Stream output_;
  Stream complaint_;
  net::TimerId timeout_;
};

}  // namespace gatehouse::master
