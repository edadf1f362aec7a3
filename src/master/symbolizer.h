#pragma once

#include <sys/types.h>

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "master/black_box_reader.h"
#include "net/loop.h"

namespace gatehouse::master {

/// Turns the backtrace in a black box into lines for people: functions, files and line numbers, found by binutils' addr2line in a
/// process of its own, so that neither a large program nor a broken one can stop the master. Without addr2line, or when it takes
/// longer than kTimeout, the lines have the offsets that it can be asked with later.
///
/// Thread rule: the loop's thread.
class Symbolizer {
 public:
  using Done = std::function<void(const std::string& text)>;

  /// `program` is argv[0] of the children, by which glibc names the program's own frames.
  Symbolizer(net::Loop& loop, std::string program);
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;
  ~Symbolizer();

  /// `done` is called once, later or now; with an empty text when there is no backtrace.
  void symbolize(const BlackBoxReader& box, Done done);
  /// Looks for those that ended: to be called at SIGCHLD.
  void reap();
  /// Whether `pid` is a process of its own.
  [[nodiscard]] bool owns(pid_t pid) const;

  static constexpr std::chrono::milliseconds kTimeout{20'000};
  static constexpr std::size_t kMostOutput = 256 * 1024;

 private:
  struct Work;
  bool launch(Work& work, int program_fd, const std::vector<std::string>& addresses);
  void on_readable(Work& work);
  void finish(Work& work);

  net::Loop& loop_;
  const std::string program_;
  std::list<std::unique_ptr<Work>> working_;
};

}  // namespace gatehouse::master
