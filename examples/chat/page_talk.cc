#include "page_talk.h"

#include <string>
#include <string_view>
#include <utility>

#include "page_request.h"
#include "room.h"
#include "text_rules.h"

namespace gh = gatehouse;

namespace chat {
namespace {

// The page chooses 32 characters; what is kept in the session for it has a bound.
constexpr std::size_t kMaxKeySize = 64;

void refuse(gh::Client& client, std::string_view code, std::string_view message) {
  client.send(to_text({{"type", "error"}, {"code", code}, {"message", message}}));
}

gh::Value listed(const People& people) {
  gh::Value list = gh::Value::array();
  for (const Person& person : people.listed) list.push_back({{"name", person.name}, {"via", name_of(person.via)}});
  return list;
}

gh::Task<> join(gh::Client& client, const PageRequest& request) {
  if (request.key.size() > kMaxKeySize) {
    refuse(client, "bad_request", "The key is too long.");
    co_return;
  }
  const Wish wish = {.name = request.name, .room = request.room, .via = Via::page, .key = request.key};
  const std::string refusal = co_await enter(client, wish);
  if (!refusal.empty()) {
    refuse(client, "not_joined", refusal);
    co_return;
  }
  const People people = co_await people_in(client, wish.room);
  client.send(to_text(
      {{"type", "joined"}, {"name", wish.name}, {"room", wish.room}, {"people", listed(people)}, {"count", people.count}}));
}

gh::Task<> tell_who_is_here(gh::Client& client) {
  const std::string room = own_room(client);
  const People people = co_await people_in(client, room);
  client.send(to_text({{"type", "people"}, {"room", room}, {"people", listed(people)}, {"count", people.count}}));
}

gh::Task<> take_words(gh::Client& client, const PageRequest& request) {
  if (const std::string fault = text_fault(request.text); !fault.empty()) {
    refuse(client, "bad_text", fault);
    co_return;
  }
  const std::string_view text = trimmed(request.text);
  if (request.type == "say") {
    say(client, text);
    co_return;
  }
  if (!co_await say_to(client, request.to, text)) {
    refuse(client, "unknown_person", "Nobody called " + readable(request.to) + " is here.");
  }
}

gh::Task<> answer(gh::Client& client, const PageRequest& request) {
  if (request.type == "pong") co_return;  // it has done its work at the gateway, by coming
  if (request.type == "join") {
    co_await join(client, request);
  } else if (request.type != "say" && request.type != "private" && request.type != "who") {
    refuse(client, "bad_request", "This type of request is not known.");
  } else if (!is_inside(client)) {
    refuse(client, "not_joined", "Join a room first.");
  } else if (request.type == "who") {
    co_await tell_who_is_here(client);
  } else {
    co_await take_words(client, request);
  }
}

}  // namespace

gh::Task<> PageTalk::on_message(gh::Client& client, gh::Message message) {
  const auto request = parse_page_request(message.text());
  if (!request) {
    refuse(client, "bad_request", "A request is a JSON object with a type.");
    co_return;
  }
  bool failed = false;
  try {
    co_await answer(client, *request);
  } catch (const gh::Error&) {
    failed = true;
  }
  if (failed) refuse(client, "unavailable", "A part of the chat does not answer just now. Please try again.");
}

gh::Task<> PageTalk::on_close(gh::Client& client, gh::CloseReason reason) {
  leave(client, reason);
  co_return;
}

}  // namespace chat
