#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/client_table.h"
#include "gateway/clients.h"
#include "gateway/directory.h"
#include "gateway/handshakes.h"
#include "gateway/heartbeat.h"
#include "net/loop.h"
#include "wire/command_ext.h"
#include "wire/gateway_protocol.h"

namespace gatehouse::gateway {

/// Carries out what workers and GatewayClients command: messages, ends of connections, names and sessions.
/// A command about somebody who is not here (any more) is a no-op, as upstream.
class Commands {
 public:
  Commands(net::Loop& loop, ClientTable& table, Directory& directory, Clients& clients, Heartbeat& heartbeat,
           Handshakes& handshakes)
      : loop_(loop), table_(table), directory_(directory), clients_(clients), heartbeat_(heartbeat), handshakes_(handshakes) {}

  enum class Outcome {
    done,
    malformed,  // an ext_data or body that cannot be read: nothing was done
    unknown,    // not a command
  };
  Outcome execute(const wire::GatewayFrame& frame);
  /// One that execute() would not call unknown.
  static bool knows(wire::Command command);
  /// Clients that something was sent to so far, or could not be.
  [[nodiscard]] std::uint64_t sends() const { return clients_.messages_sent() + clients_.send_failures(); }

 private:
  /// What is to be sent, out of a frame: bytes as they are, or a serialized value as upstream's client protocols show it.
  struct Outgoing {
    std::string_view message;
    std::string_view key;  // of what it tells, or empty
    bool present = false;  // false for a serialized null: no last words
    bool binary = false;
    bool raw = false;
  };
  bool read_body(const wire::GatewayFrame& frame, Outgoing& out);

  Outcome send_to_one(const wire::GatewayFrame& frame);
  Outcome send_to_all(const wire::GatewayFrame& frame);
  Outcome send_to_uid(const wire::GatewayFrame& frame);
  Outcome send_to_group(const wire::GatewayFrame& frame);
  Outcome kick(const wire::GatewayFrame& frame);
  Outcome kick_uid(const wire::GatewayFrame& frame);
  void kick(std::uint32_t client, const Outgoing& last_words);
  Outcome answer_handshake(const wire::GatewayFrame& frame);
  Outcome about_client(const wire::GatewayFrame& frame);
  Outcome change_client(std::uint32_t client, const wire::GatewayFrame& frame);
  Outcome set_ping_interval(std::uint32_t client, std::string_view ext);
  Outcome update_session(ClientRecord& record, std::string_view changes);
  Outcome merge_session(ClientRecord& record, std::string_view ext);
  void send_to_list(const MemberLists& lists, std::string_view name, const std::vector<std::uint32_t>& except,
                    Clients::Broadcast& broadcast);

  net::Loop& loop_;
  ClientTable& table_;
  Directory& directory_;
  Clients& clients_;
  Heartbeat& heartbeat_;
  Handshakes& handshakes_;
  // Kept between commands for their memory.
  wire::Recipients recipients_;
  wire::GroupTarget target_;
  wire::UidTarget uid_target_;
  std::vector<std::uint32_t> members_;
  std::string text_;  // a body that had to be converted
};

}  // namespace gatehouse::gateway
