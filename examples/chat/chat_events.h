#pragma once

#include <gatehouse/gatehouse.h>

#include <cstdint>

#include "page_talk.h"
#include "terminal_talk.h"

namespace chat {

/// One cluster with two kinds of gateways: which one a client came through tells which language it speaks. The people meet
/// all the same, in room.h.
class ChatEvents : public gatehouse::Events {
 public:
  explicit ChatEvents(std::uint16_t terminal_port) : terminal_port_(terminal_port) {}

  gatehouse::Task<> on_connect(gatehouse::Client& client) override { return talk(client).on_connect(client); }
  gatehouse::Task<> on_message(gatehouse::Client& client, gatehouse::Message message) override {
    return talk(client).on_message(client, message);
  }
  gatehouse::Task<> on_close(gatehouse::Client& client, gatehouse::CloseReason reason) override {
    return talk(client).on_close(client, reason);
  }

 private:
  gatehouse::Events& talk(const gatehouse::Client& client) {
    if (client.gateway_port() == terminal_port_) return terminal_;
    return page_;
  }

  std::uint16_t terminal_port_;
  PageTalk page_;
  TerminalTalk terminal_;
};

}  // namespace chat
