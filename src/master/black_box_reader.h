#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/black_box.h"
#include "base/result.h"
#include "net/socket.h"

namespace gatehouse::master {

/// The master's end of a child's black box (base/black_box.h), and the program file that the child was started from, which may
/// have been replaced since: a backtrace is read against this one.
class BlackBoxReader {
 public:
  /// For a child that is about to be started from the file that `program_fd` is open on.
  static Result<std::shared_ptr<BlackBoxReader>> make(int program_fd);
  BlackBoxReader(const BlackBoxReader&) = delete;
  BlackBoxReader& operator=(const BlackBoxReader&) = delete;
  ~BlackBoxReader();

  /// What the child inherits.
  [[nodiscard]] int fd() const { return file_.fd(); }
  /// The program file, open; -1 when it could not be opened.
  [[nodiscard]] int program_fd() const { return program_.fd(); }
  /// The child may write anything into it at any time.
  [[nodiscard]] const BlackBoxPage& page() const { return *page_; }
  /// The text of the last backtrace, at most kMostReportBytes of it.
  [[nodiscard]] std::string report() const;
  /// "on_message of client 7f00000108fc00000005", or what else of user code runs; empty for none.
  [[nodiscard]] std::string activity() const;

  static constexpr std::size_t kMostReportBytes = 64 * 1024;

 private:
  BlackBoxReader(net::Socket file, net::Socket program, const BlackBoxPage* page)
      : file_(std::move(file)), program_(std::move(program)), page_(page) {}

  net::Socket file_;
  net::Socket program_;
  const BlackBoxPage* page_;
};

}  // namespace gatehouse::master
