#pragma once

#include <gatehouse/gatehouse.h>

namespace chat {

/// The chat on a text:// gateway, for people with a terminal: the first line is the nickname, and everyone is in the lobby.
/// Nothing that a terminal would obey is ever sent: see readable().
class TerminalTalk : public gatehouse::Events {
 public:
  gatehouse::Task<> on_connect(gatehouse::Client& client) override;
  gatehouse::Task<> on_message(gatehouse::Client& client, gatehouse::Message message) override;
  gatehouse::Task<> on_close(gatehouse::Client& client, gatehouse::CloseReason reason) override;
};

}  // namespace chat
