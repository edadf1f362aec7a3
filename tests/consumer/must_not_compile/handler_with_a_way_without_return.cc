// expected: return-type
#include <gatehouse/events.h>
namespace gh = gatehouse;

class Room : public gh::Events {
  gh::Task<> on_message(gh::Client& client, gh::Message message) override {
    if (message.size() > 0) {
      client.send(message.text());
      return {};
    }
#ifndef WRONG
    return {};
#endif
  }
};

gh::EventsFactory room() { return gh::make_events<Room>(); }
