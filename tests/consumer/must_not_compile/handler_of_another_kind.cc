// expected: conflicting return type|different return type
#include <gatehouse/events.h>
namespace gh = gatehouse;

class Room : public gh::Events {
#ifdef WRONG
  void on_message(gh::Client& client, gh::Message message) override { client.send(message.text()); }
#else
  gh::Task<> on_message(gh::Client& client, gh::Message message) override {
    client.send(message.text());
    return {};
  }
#endif
};

gh::EventsFactory room() { return gh::make_events<Room>(); }
