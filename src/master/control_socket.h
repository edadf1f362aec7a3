#pragma once

#include <functional>
#include <nlohmann/json.hpp>
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

  /// Opens the socket file at `path`, replacing one left behind. REQUIRES: the caller holds the pid file's lock.
  static Result<net::Socket> open(const std::string& path);

  ControlSocket(net::Loop& loop, net::Socket listener, OnQuestion on_question);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

 private:
  void accept_all();
  void on_message(net::Connection& connection, const nlohmann::json& message);

  net::Loop& loop_;
  net::Socket listener_;
  OnQuestion on_question_;
  JsonLines lines_;
  net::WatchId watch_;
};

/// Asks the master behind the socket file at `path`, and waits for its answer. `details` are further keys of the question.
Result<nlohmann::ordered_json> ask_master(const std::string& path, const std::string& question, int timeout_ms,
                                          const nlohmann::ordered_json& details = nlohmann::ordered_json::object());

}  // namespace gatehouse::master
