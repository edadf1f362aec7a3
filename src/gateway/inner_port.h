#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_limit.h"
#include "base/secret_keys.h"
#include "gateway/client_table.h"
#include "gateway/commands.h"
#include "gateway/event_forwarder.h"
#include "gateway/limit_log.h"
#include "gateway/questions.h"
#include "gateway/worker_table.h"
#include "net/loop.h"
#include "net/tls_context.h"
#include "wire/command_size.h"
#include "wire/gateway_protocol.h"

namespace gatehouse::gateway {

/// The inner side of a gateway: workers connect here for events, workers and GatewayClients for commands and questions.
/// (docs/wire-protocol.md, "Gateway inner port".)
class InnerPort : public net::ConnectionHandler {
 public:
  struct Settings {
    SecretKeys secret_keys{""};
    std::size_t max_frame_bytes = wire::kMostCommandFrame;
    std::uint64_t secret_ms = 10'000;          // to show the secret in, where there is one
    std::size_t most_strangers = 1024;         // that have not shown it: the one that came first makes way
    std::uint64_t worker_silence_ms = 60'000;  // of a worker that acknowledges, until it is given up; 0: never
    net::TlsContext* tls = nullptr;            // null: peers are not encrypted
  };

  InnerPort(net::Loop& loop, WorkerTable& workers, EventForwarder& forwarder, Commands& commands, Questions& questions,
            LimitLog& limits, Settings settings);

  /// For peers that connect from now on, and frames that come from now on.
  void change(Settings settings) { settings_ = std::move(settings); }

  void on_open(net::Connection& connection) override;
  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) override;
  void on_close(net::Connection& connection, net::CloseCause cause, int error) override;
  void on_drain(net::Connection& connection) override;
  void on_tls(net::Connection& connection, net::TlsEvent event) override;
  void describe(const net::Connection& connection, ConnectionRow& row) const override;

  /// A ping to every worker, so that neither side's firewall forgets the connection.
  void ping_workers();
  /// Ends those that have not shown the secret in time. Called about once a second.
  void end_strangers();
  /// Peers that have not shown yet who they are: the secret, or without one a certificate.
  [[nodiscard]] std::size_t strangers() const { return strangers_; }
  /// Of a frame, before the secret was shown: a connect has some 100 bytes. More where the secret itself is long.
  static constexpr std::size_t kMostBeforeSecret = 4 * 1024;

  /// Gives up the workers that have said nothing for too long. Called about once a second; when it was not, this process has
  /// been stopped, or the whole machine, and workers are not to blame for what they could not say meanwhile.
  void end_silent_workers();

  [[nodiscard]] std::uint64_t connections() const { return peers_.size() - free_.size(); }

 private:
  struct Peer {
    bool authenticated = false;
    bool is_stranger = false;  // and counts as one
    net::ConnectionId connection;
    std::uint64_t since_ms = 0;
    WorkerRef worker;                    // set when it takes events
    WorkerDelivery* delivery = nullptr;  // set when it acknowledges them
    std::uint64_t to_skip = 0;           // bytes still to come of a command that is passed over
    bool has_commanded = false;          // it has sent a whole frame, so it is no stranger that strayed here
  };

  /// What is refused at any rate is logged at a lower one, for each of these by itself.
  enum class Refusal : std::uint8_t { malformed, tls, wrong_port, no_secret, wrong_secret, of_member, count_ };

  void add_stranger(net::Connection& connection);
  void let_in(Peer& peer);
  /// Bytes of a frame.
  [[nodiscard]] std::size_t most_before_secret() const;
  /// False when the connection has been ended.
  bool take(net::Connection& connection, const wire::GatewayFrame& frame);
  std::uint64_t pass_over(const net::Connection& connection, std::string_view header);
  void slow_down(net::Connection& connection);
  bool connect(net::Connection& connection, const wire::GatewayFrame& frame);
  void answer_http(net::Connection& connection);
  /// `words`, if any, are the last that it hears.
  bool refuse(net::Connection& connection, Refusal kind, const std::string& why, std::string_view words = {});
  bool join(net::Connection& connection, const std::string& worker_key, const wire::ConnectBody& body);
  void say_hello(net::Connection& connection);
  void tell_of_namesake(const std::string& worker_key);
  bool take_delivery_frame(net::Connection& connection, const wire::GatewayFrame& frame);
  bool let_leave(net::Connection& connection);
  void close_when_finished(const WorkerDelivery& link);
  void leave(Peer& peer);

  net::Loop& loop_;
  WorkerTable& workers_;
  EventForwarder& forwarder_;
  Commands& commands_;
  Questions& questions_;
  LimitLog& limits_;
  Settings settings_;
  std::vector<Peer> peers_;  // by Connection::tag
  std::vector<std::uint32_t> free_;
  std::string answer_;
  std::deque<net::ConnectionId> strangers_line_;  // in the order in which they came; some are gone, or let in
  std::size_t strangers_ = 0;
  std::uint64_t malformed_ = 0;
  std::array<LogLimit, static_cast<std::size_t>(Refusal::count_)> refusals_{LogLimit::for_strangers(), LogLimit::for_strangers(),
                                                                            LogLimit::for_strangers(), LogLimit::for_strangers(),
                                                                            LogLimit::for_strangers(), LogLimit::for_strangers()};
  LogLimit long_commands_{1};  // in a second
  LogLimit namesakes_{1};      // in a second
  std::uint64_t looked_ms_;    // when workers were last looked at
};

}  // namespace gatehouse::gateway
