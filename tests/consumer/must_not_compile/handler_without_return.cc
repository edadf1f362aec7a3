// expected: return-type
#include <gatehouse/events.h>
namespace gh = gatehouse;

class Room : public gh::Events {
  gh::Task<> on_message(gh::Client& client, gh::Message message) override {
    client.send(message.text());
#ifndef WRONG
    return {};
#endif
  }
};

gh::EventsFactory room() { return gh::make_events<Room>(); }
