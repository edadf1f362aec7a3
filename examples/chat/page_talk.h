#pragma once

#include <gatehouse/gatehouse.h>

namespace chat {

/// The chat on a websocket:// gateway, for people with the web page: JSON objects both ways, as README.md describes them.
class PageTalk : public gatehouse::Events {
 public:
  gatehouse::Task<> on_message(gatehouse::Client& client, gatehouse::Message message) override;
  gatehouse::Task<> on_close(gatehouse::Client& client, gatehouse::CloseReason reason) override;
};

}  // namespace chat
