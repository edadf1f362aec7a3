#pragma once

#include <gatehouse/close_reason.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/blob.h"
#include "net/connection.h"
#include "net/shared_bytes.h"
#include "wire/websocket_frame.h"

namespace gatehouse::gateway {

/// Names a worker of the WorkerTable: one that has left and returned is the same as long as it has clients.
struct WorkerRef {
  std::uint16_t slot = 0;
  std::uint16_t generation = 0;  // 0 names nothing
  friend bool operator==(const WorkerRef&, const WorkerRef&) = default;
};

/// One place in a member list: which list, and where in it.
struct Membership {
  std::uint32_t list = 0;
  std::uint32_t position = 0;
};

/// What was sent to a WebSocket client before its handshake was complete, encoded; follows the 101. A broadcast to many such
/// clients is held once.
struct HeldOutput {
  std::vector<net::SharedBytes> messages;
  std::size_t bytes = 0;  // of the messages, and what it costs to hold them
};

/// What a gateway knows of one client. 88 bytes; with its connection, the whole cost of an idle client.
struct ClientRecord {
  enum class Stage : std::uint8_t {
    free,
    handshake,
    asked,  // its handshake is all right, and a worker says whether it is let in
    open,
  };

  net::ConnectionId connection;
  std::uint32_t id = 0;  // the connection id on the wire; 0 when this record is free
  WorkerRef worker;      // who gets its events
  wire::WebSocketState websocket;
  Blob session;  // PHP-serialized; empty for none
  std::unique_ptr<std::vector<Membership>> groups;
  std::unique_ptr<HeldOutput> held;  // only before Stage::open
  std::uint32_t uid = kNoUid;        // entry of the uid table
  std::uint32_t uid_position = 0;
  std::int16_t silent_ticks = -1;  // heartbeat ticks since its last message, upstream's count from -1
  Stage stage = Stage::free;
  bool announced : 1 = false;      // some worker has heard, or will hear, on_connect
  bool waits : 1 = false;          // an event of it waits for a worker; what it says next must not overtake that
  bool own_heartbeat : 1 = false;  // has an interval of its own, and is in Heartbeat's table
  bool ends : 1 = false;           // says no more, and is closed when it has its last answers: in LastAnswers' table
  bool in_turns : 1 = false;       // has used up a turn, and is in Turns
  bool displaced : 1 = false;      // bound to this worker because the one before it was gone
  std::uint8_t deflate_bits = 0;   // window of compressed messages to it (permessage-deflate); 0: none may be sent
  bool keeps_context = false;      // across compressed messages: it has a context in Compression

  static constexpr std::uint32_t kNoUid = 0xffffffffU;
};

}  // namespace gatehouse::gateway
