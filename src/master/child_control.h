#pragma once

#include <functional>

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/role_status.h"
#include "master/json_lines.h"
#include "net/loop.h"

namespace gatehouse::master {

/// The child's end of its control channel:
///
///   child to master   {"ready":true}                      once, when it serves, or (GATEHOUSE_GENERATION) could do so
///   child to master   {"failed":"why"}                    it cannot start, and ends
///   master to child   {"serve":true}                      to one that is started by a reload: all are ready
///   child to master   {"serving":true}
///   master to child   {"ask":"status","id":7}             or another question, with what belongs to it beside its name
///   child to master   {"id":7,"answer":{...}}             answers may be late; the master gives up after a second
///   master to child   {"ask":"log level","level":"debug"} without an id: done, and not answered
///
/// The end of the channel means that the master is gone: the child is to stop.
///
/// Thread rule: the loop's thread.
class ChildControl {
 public:
  ChildControl(net::Loop& loop, int control_fd, std::function<RoleStatus()> status, std::function<void()> on_master_lost);
  ChildControl(const ChildControl&) = delete;
  ChildControl& operator=(const ChildControl&) = delete;

  void announce_ready();
  void announce_serving();
  void announce_failure(const std::string& why);
  /// `serve` is called when the master says so.
  void on_serve(std::function<void()> serve) { serve_ = std::move(serve); }

  /// Gives the answer to a question, which is the whole message that asked.
  using Answerer = std::function<nlohmann::ordered_json(const nlohmann::json& message)>;
  /// From now on `answerer` answers the question `name`. One that nobody answers is answered null.
  void answer(const std::string& name, Answerer answerer) { answerers_[name] = std::move(answerer); }

 private:
  void on_message(net::Connection& connection, const nlohmann::json& message);

  net::Loop& loop_;
  std::function<void()> serve_;
  std::map<std::string, Answerer> answerers_;
  JsonLines lines_;
  net::ConnectionId connection_;
};

}  // namespace gatehouse::master
