#include "terminal_talk.h"

#include <string>
#include <string_view>

#include "room.h"
#include "text_rules.h"

namespace gh = gatehouse;

namespace chat {
namespace {

constexpr const char* kHelp =
    "A line goes to everyone here.\n"
    "$name:words  goes to that person alone\n"
    "/who         who is here\n"
    "/quit        leave\n"
    "help         this text";

gh::Task<> tell_who_is_here(gh::Client& client) {
  const People people = co_await people_in(client, own_room(client));
  std::string line = "Here (" + std::to_string(people.count) + "): ";
  for (const Person& person : people.listed) {
    if (&person != &people.listed.front()) line += ", ";
    line += person.name;
  }
  client.send(line);
}

gh::Task<> take_nickname(gh::Client& client, std::string_view line) {
  const Wish wish = {.name = std::string(line), .room = std::string(kLobby), .via = Via::terminal};
  const std::string refusal = co_await enter(client, wish);
  if (!refusal.empty()) {
    client.send(refusal + " What shall we call you?");
    co_return;
  }
  client.send("Hello " + wish.name + ", write to everyone here, or type help.");
  co_await tell_who_is_here(client);
}

gh::Task<> take_private_words(gh::Client& client, std::string_view name, std::string_view words) {
  if (const std::string fault = text_fault(words); !fault.empty()) {
    client.send(fault);
    co_return;
  }
  const std::string to(name);
  if (!co_await say_to(client, to, trimmed(words))) {
    client.send("Nobody called " + readable(to) + " is here. /who tells who is.");
  }
}

gh::Task<> take_line(gh::Client& client, std::string_view line) {
  if (line == "/quit") {
    client.close("Goodbye.");
    co_return;
  }
  if (line == "help") {
    client.send(kHelp);
    co_return;
  }
  if (!is_inside(client)) {
    co_await take_nickname(client, line);
    co_return;
  }
  if (line == "/who") {
    co_await tell_who_is_here(client);
    co_return;
  }
  const std::size_t colon = line.find(':');
  if (line.starts_with('$') && colon != std::string_view::npos) {
    co_await take_private_words(client, line.substr(1, colon - 1), line.substr(colon + 1));
    co_return;
  }
  if (const std::string fault = text_fault(line); !fault.empty()) {
    client.send(fault);
    co_return;
  }
  say(client, line);
}

}  // namespace

gh::Task<> TerminalTalk::on_connect(gh::Client& client) {
  client.send("Welcome to Gatehouse chat. What shall we call you?");
  co_return;
}

gh::Task<> TerminalTalk::on_message(gh::Client& client, gh::Message message) {
  const std::string_view line = trimmed(message.text());
  if (line.empty() && is_inside(client)) co_return;

  bool failed = false;
  try {
    co_await take_line(client, line);
  } catch (const gh::Error&) {
    failed = true;
  }
  if (failed) client.send("A part of the chat does not answer just now. Please try again.");
}

gh::Task<> TerminalTalk::on_close(gh::Client& client, gh::CloseReason reason) {
  leave(client, reason);
  co_return;
}

}  // namespace chat
