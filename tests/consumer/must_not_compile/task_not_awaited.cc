// expected: unused-result
#include <gatehouse/events.h>
namespace gh = gatehouse;

class Room : public gh::Events {
  static gh::Task<> greet(gh::Client& client) {
    client.send("hello");
    co_return;
  }
  gh::Task<> on_message(gh::Client& client, gh::Message) override {
#ifdef WRONG
    greet(client);
    co_return;
#else
    co_await greet(client);
#endif
  }
};

gh::EventsFactory room() { return gh::make_events<Room>(); }
