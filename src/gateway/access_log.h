#pragma once

#include <gatehouse/close_reason.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "net/loop.h"

namespace gatehouse::gateway {

/// Who came and who went, a line for each, in a file of its own (GatewayOptions::access_log). As text
///
///   2026-11-21 10:00:00.123 gateway web:0 [4713] connect 7f0000010b5400000005 203.0.113.9:51234
///   2026-11-21 10:00:09.456 gateway web:0 [4713] end 7f0000010b5400000005 203.0.113.9:51234 heartbeat code=1001 duration=9.333
///     in=120 out=4096 uid="42" text="heartbeat timeout"
///
/// (one line), or with the same in a JSON object. The end is written when the connection has really ended, so that the last words
/// to the client are among the bytes.
///
/// Lines are gathered for a second, or kGathered, and written whole and with one call: several processes may have one file. What
/// cannot be written is dropped and counted; nothing waits for the disk but that call.
///
/// Thread rule: the loop's thread.
class AccessLog {
 public:
  struct Settings {
    std::string path;
    LogFormat format = LogFormat::text;
    std::string process;  // "gateway web:0"
  };
  /// Fails with a sentence when the file cannot be appended to.
  static Result<std::unique_ptr<AccessLog>> open(net::Loop& loop, Settings settings);
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;
  /// Writes what it has, also about connections that have not quite ended.
  ~AccessLog();

  /// How a client id is made of a connection's. REQUIRES: before there is a client.
  void set_client_ids(std::function<std::string(std::uint32_t id)> client_id) { client_id_ = std::move(client_id); }

  /// The client at place `client` of the table has come.
  void connected(std::uint32_t client, std::uint32_t id, const net::Connection& connection);
  /// It is a client no longer; `connection` is null when that is gone already.
  void departed(std::uint32_t client, std::uint32_t id, const CloseReason& reason, std::string_view uid,
                const net::Connection* connection);
  /// A connection has ended, be it a client's or not.
  void closed(const net::Connection& connection);

  /// Writes what it has gathered. Called about once a second.
  void flush();
  /// Goes on in the file that has the name now. When it cannot be opened the old one is used on.
  Result<void> reopen();
  [[nodiscard]] std::uint64_t lost_lines() const { return lost_; }

  static constexpr std::size_t kGathered = 64 * 1024;  // bytes that are written without waiting for the second to be over

 private:
  struct Ended {
    net::ConnectionId connection;
    std::string client_id;
    std::uint64_t begun_ms = 0;
    CloseReason reason;
    std::string uid;
  };
  AccessLog(net::Loop& loop, Settings settings, int fd);
  void write_end(const Ended& ended, const net::Connection* connection);
  void add_line(std::string_view text);
  void lose(std::uint64_t lines, const std::string& why);
  std::string_view time_text();

  net::Loop& loop_;
  const Settings settings_;
  net::Socket file_;  // owns the descriptor, whatever it is
  std::function<std::string(std::uint32_t)> client_id_;
  std::vector<std::uint64_t> begun_ms_;                // by a client's place in the table
  std::unordered_map<std::uint32_t, Ended> departed_;  // by the slot of its connection, which has not ended yet
  std::string lines_;                                  // whole ones
  std::string second_;                                 // time_text() of the last line's second, without what stands behind it
  std::int64_t second_of_ = -1;
  std::string time_;
  bool torn_ = false;  // the last write ended within a line
  std::uint64_t lost_ = 0;
  std::uint64_t lost_logged_ = 0;
  std::uint64_t lost_logged_at_ms_ = 0;
};

}  // namespace gatehouse::gateway
