#pragma once

// For tests only: the parts of a gateway without its ports; clients are one end of a socketpair.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "gateway/commands.h"
#include "gateway/questions.h"
#include "net/loop_test_support.h"
#include "wire/gateway_protocol.h"
#include "wire/stream_protocols.h"
#include "wire/test_vectors.h"

namespace gatehouse::gateway::testing {

class Parts {
 public:
  /// `protocol` is null for websocket.
  explicit Parts(std::unique_ptr<Protocol> protocol = nullptr, std::uint32_t first_id = 1,
                 std::unique_ptr<Compression> compression = nullptr)
      : table(first_id), framing(std::move(protocol), std::move(compression)) {
    clients.set_heartbeat(heartbeat);
  }

  /// A client with that id, which is `first_id` or later, as if those before it had come and gone.
  std::uint32_t add(std::uint32_t id, ClientRecord::Stage stage = ClientRecord::Stage::open) {
    std::uint32_t index = table.add();
    while (table[index].id != id) {
      table.remove(index);
      index = table.add();
    }
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    table[index].connection = loop.adopt(net::Socket(ends[0]), handler, index);
    if (stage != ClientRecord::Stage::open) clients.begin_handshake(index);
    table[index].stage = stage;
    peers_.emplace(id, net::Socket(ends[1]));
    return index;
  }

  Commands::Outcome run(wire::Command command, std::uint32_t id, std::string_view ext_data = {}, std::string_view body = {},
                        std::uint8_t flags = wire::flag::kScalar) {
    return commands.execute({{.command = command, .flags = flags, .connection_id = id}, ext_data, body});
  }
  /// A command as it stands in the vectors.
  Commands::Outcome run_vector(const std::string& name) {
    const auto vectors = wire::load_vectors("gateway_protocol.json");
    for (const auto& each : vectors["frames"]) {
      if (each["name"] != name) continue;
      const std::string bytes = wire::from_hex(each["frame_hex"]);
      return commands.execute(wire::decode_gateway_frame(bytes, bytes.size()).frame);
    }
    ADD_FAILURE() << "no such vector: " << name;
    return Commands::Outcome::unknown;
  }
  /// The answer without its length, or "(none)".
  std::string ask(wire::Command command, std::uint32_t id = 0, std::string_view ext_data = {}) {
    std::string out = "before";
    if (!questions.answer({{.command = command, .connection_id = id}, ext_data, {}}, out)) return "(none)";
    EXPECT_EQ(out.substr(0, 6), "before");
    EXPECT_EQ(load_be32(out.data() + 6), out.size() - 10);
    return out.substr(10);
  }

  /// What the client has been sent since it was last asked.
  std::string received(std::uint32_t id) {
    loop.post([this] { loop.stop(); });
    loop.run();
    net::testing::RawPeer& peer = peers_.at(id);
    peer.read();
    return std::exchange(peer.received, {});
  }
  [[nodiscard]] bool ended(std::uint32_t id) {
    (void)received(id);
    return peers_.at(id).ended;
  }
  [[nodiscard]] bool online(std::uint32_t id) const { return table.find(id) != ClientTable::kNone; }
  [[nodiscard]] std::string_view session(std::uint32_t id) { return table[table.find(id)].session.view(); }
  [[nodiscard]] std::string_view uid(std::uint32_t id) { return directory.uid_of(table[table.find(id)]); }
  [[nodiscard]] std::size_t members(std::string_view group) {
    const std::uint32_t list = directory.groups().find(group);
    return list == MemberLists::kNone ? 0 : directory.groups().members(list).size();
  }

  net::testing::Recorder handler;
  net::Loop loop{Log("test")};
  ClientTable table;
  Directory directory{table};
  WorkerTable workers;
  EventRouter router{loop, workers, directory, {}};
  EventForwarder forwarder{loop, table, workers, router, {}};
  ClientFraming framing;
  wire::WebSocketReader websockets{wire::WebSocketReader::Role::server, {}};
  UnfinishedMessages unfinished{table, websockets, {}};
  LimitLog limits{loop};
  Clients clients{loop, table, directory, workers, forwarder, framing, unfinished, limits, {}};
  Heartbeat heartbeat{loop, table, clients, {}};
  Handshakes handshakes{loop, table, clients, workers, forwarder, limits, {}};
  Commands commands{loop, table, directory, clients, heartbeat, handshakes};
  Questions questions{table, directory};

 private:
  std::map<std::uint32_t, net::testing::RawPeer> peers_;
};

/// A message as the gateway frames it for a WebSocket client.
inline std::string text(std::string_view message) {
  std::string out;
  wire::append_frame(out, wire::Opcode::text, message);
  return out;
}
inline std::string close_frame(std::uint16_t code, std::string_view reason = {}) {
  std::string out;
  wire::append_close_frame(out, code, reason);
  return out;
}

}  // namespace gatehouse::gateway::testing
