#pragma once

#include <gatehouse/gatehouse.h>

#include <string>
#include <string_view>
#include <vector>

#include "post.h"

namespace chat {

inline constexpr std::string_view kLobby = "lobby";
/// A list of people is cut here; Entry::count tells how many there are.
inline constexpr std::size_t kMaxPeopleListed = 500;

struct Person {
  std::string name;
  Via via = Via::page;
};

/// Who is in a room, in the order of their names.
struct People {
  std::vector<Person> listed;
  std::size_t count = 0;
};

/// What somebody asks for at the door.
struct Wish {
  std::string name;
  std::string room;
  Via via = Via::page;
  /// A secret of the page's own choice, for coming back: whoever brings the same name and key again replaces the connection that
  /// holds the name, which may be dead without the gateway having noticed. Empty: never replaced.
  std::string key = {};
};

/// The rules of the chat, for people of both kinds. Workers remember nothing: a person is a client whose
///   uid      is the name,
///   groups   are "name:NAME" (see enter), "room:ROOM" (who is here) and "page:ROOM" or "terminal:ROOM" (which form posts have),
///   session  is {"name", "room", "via", "key"}.
///
/// Where a question to the gateways fails, gatehouse::Error passes through.

/// Comes in, or changes rooms. Gives an empty string, or why not, as a sentence. The room is told.
gatehouse::Task<std::string> enter(gatehouse::Client& client, const Wish& wish);

/// Whether this client has come in.
bool is_inside(gatehouse::Client& client);
std::string own_name(gatehouse::Client& client);
std::string own_room(gatehouse::Client& client);

gatehouse::Task<People> people_in(gatehouse::Client& client, const std::string& room);

/// To everyone in the room, the speaker too. REQUIRES: is_inside, no text_fault.
void say(gatehouse::Client& client, std::string_view text);

/// To one person and, as a copy, to the speaker. False when nobody of that name is here. REQUIRES: as say.
gatehouse::Task<bool> say_to(gatehouse::Client& client, const std::string& to, std::string_view text);

/// Tells the room that this client's connection has ended. For on_close.
void leave(gatehouse::Client& client, const gatehouse::CloseReason& reason);

}  // namespace chat
