#pragma once

#include <sys/types.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "master/json_lines.h"
#include "net/loop.h"

namespace gatehouse::master {

/// The Unix socket through which commands such as `status` ask a running master: a question {"ask": "status"}, one answer
/// (both one line of JSON), and the end. Mode 0600, in the run directory.
///
/// Thread rule: the loop's thread.
class ControlSocket {
 public:
  /// Gives the answer to a question; may be called later, once. It goes nowhere when whoever asked is gone.
  using Answer = std::function<void(const nlohmann::ordered_json& answer)>;
  /// `message` is the whole question, with what belongs to it beside its name.
  using OnQuestion = std::function<void(const std::string& question, const nlohmann::json& message, Answer answer)>;

  /// Opens the socket file at `path`, replacing one that a master which is gone has left behind. Fails when a program listens
  /// there, and when something else than a socket has that name, which is left alone. REQUIRES: the caller holds the pid file's
  /// lock.
  static Result<net::Socket> open(const std::string& path);
  /// The pid of the process that listens at `path`: 0 when the system does not say, nothing when nobody listens.
  static std::optional<pid_t> owner(const std::string& path);

  /// A question is not passed on when whoever asked has given up by then. From now on this process is the owner() of the socket.
  ControlSocket(net::Loop& loop, net::Socket listener, OnQuestion on_question);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  /// Opens the file again when something has removed it: true then.
  Result<bool> restore();
  /// Listens no more and removes the file.
  void close();

 private:
  /// A file, whatever its name is.
  struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const FileId&) const = default;
  };
  static std::optional<FileId> file_at(const std::string& path);
  void listen(net::Socket listener);
  void accept_all();
  void on_message(net::Connection& connection, const nlohmann::json& message);

  net::Loop& loop_;
  const std::string path_;
  net::Socket listener_;
  std::optional<FileId> file_;
  OnQuestion on_question_;
  JsonLines lines_;
  net::WatchId watch_;
};

/// Asks the master behind the socket file at `path`, and waits for its answer for `timeout_ms` at most; what it has not begun
/// with by then it leaves. `details` are further keys of the question.
Result<nlohmann::ordered_json> ask_master(const std::string& path, const std::string& question, int timeout_ms,
                                          const nlohmann::ordered_json& details = nlohmann::ordered_json::object());

}  // namespace gatehouse::master
