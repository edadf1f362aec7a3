#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <span>

#include "net/connection.h"

namespace gatehouse::master {

/// JSON messages, one per line: what master and children, and master and `status`, say to each other. Serves any number of
/// connections of one loop; whoever sends a line that is no JSON object, or is too long, is cut off.
///
/// Thread rule: the loop's thread.
class JsonLines : public net::ConnectionHandler {
 public:
  using OnMessage = std::function<void(net::Connection& connection, const nlohmann::json& message)>;
  using OnEnd = std::function<void(net::Connection& connection)>;

  JsonLines(OnMessage on_message, OnEnd on_end) : on_message_(std::move(on_message)), on_end_(std::move(on_end)) {}

  /// A no-op when the connection is gone.
  static void send(net::Connection* connection, const nlohmann::ordered_json& message);

  static constexpr std::size_t kMaxLineSize = 4 * 1024 * 1024;

 private:
  void on_open(net::Connection& /*connection*/) override {}
  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) override;
  void on_close(net::Connection& connection, net::CloseCause cause, int error) override;

  OnMessage on_message_;
  OnEnd on_end_;
};

}  // namespace gatehouse::master
