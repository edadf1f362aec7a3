#include "room.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "text_rules.h"

namespace gh = gatehouse;
using namespace std::chrono_literals;

namespace chat {
namespace {

// A session comes from the gateway, where other programs can write it too; so nothing in it is taken for granted.
std::string field(const gh::Value& session, const char* name) {
  const auto it = session.find(name);
  return it != session.end() && it->is_string() ? it->get<std::string>() : std::string();
}

Via via_of(const gh::Value& session) { return field(session, "via") == name_of(Via::terminal) ? Via::terminal : Via::page; }

std::string claim_group(const std::string& name) { return "name:" + name; }
std::string room_group(const std::string& room) { return "room:" + room; }
std::string form_group(Via via, const std::string& room) { return std::string(name_of(via)) + ":" + room; }

void send_to_room(gh::Cluster& cluster, const Post& post) {
  cluster.send_to_group(form_group(Via::page, post.room), post.for_page());
  cluster.send_to_group(form_group(Via::terminal, post.room), post.for_terminal());
}

void send_to_person(gh::Cluster& cluster, const std::string& client_id, Via via, const Post& post) {
  cluster.send_to_client(client_id, via == Via::page ? post.for_page() : post.for_terminal());
}

void leave_room(gh::Client& client, const std::string& room, Via via) {
  client.cluster().leave_group(client.id(), room_group(room));
  client.cluster().leave_group(client.id(), form_group(via, room));
}

enum class Claim { ours, replaced, taken, gone };

// Looks at the other claims, and the pause between two: 1 s in all.
constexpr int kMostLooks = 20;
constexpr auto kPause = 50ms;

/// Two people may ask for one name at the same moment, in two workers, through two gateways. So each first puts its claim where
/// the other can see it, makes sure that it is there, and only then looks: at least one of the two sees the other. Of two
/// claims that are both undecided, the one with the lower client id waits until the other has been decided, and the other steps
/// back. Nothing is ever sent to a claim, so nobody gets words that were meant for the other.
gh::Task<Claim> claim_name(gh::Client& client, const Wish& wish) {
  gh::Cluster& cluster = client.cluster();
  const std::string group = claim_group(wish.name);
  cluster.join_group(client.id(), group);
  const std::vector<std::string> own_groups = co_await cluster.groups_by_client_id(client.id());
  if (std::find(own_groups.begin(), own_groups.end(), group) == own_groups.end()) co_return Claim::gone;

  Claim result = Claim::ours;
  for (int look = 0; look < kMostLooks; ++look) {
    const std::map<std::string, gh::Value> claims = co_await cluster.sessions_by_group(group);
    if (!claims.contains(client.id())) co_return Claim::gone;
    bool alone = true;
    for (const auto& [id, session] : claims) {
      if (id == client.id()) continue;
      const bool is_decided = field(session, "name") == wish.name;
      if (is_decided && !wish.key.empty() && field(session, "key") == wish.key) {
        cluster.destroy_client(id);
        const std::string room = field(session, "room");
        if (room == wish.room) {
          result = Claim::replaced;
        } else {
          send_to_room(cluster, {.kind = Post::Kind::left, .from = wish.name, .via = via_of(session), .room = room});
        }
      } else if (is_decided || id < client.id()) {
        co_return Claim::taken;
      } else {
        alone = false;
      }
    }
    if (alone) co_return result;
    co_await gh::sleep(kPause);
  }
  co_return Claim::taken;
}

}  // namespace

bool is_inside(gh::Client& client) { return !own_name(client).empty(); }
std::string own_name(gh::Client& client) { return field(client.session(), "name"); }
std::string own_room(gh::Client& client) { return field(client.session(), "room"); }

gh::Task<std::string> enter(gh::Client& client, const Wish& wish) {
  if (std::string fault = name_fault("A nickname", wish.name); !fault.empty()) co_return fault;
  if (std::string fault = name_fault("A room", wish.room); !fault.empty()) co_return fault;
  const std::string name = own_name(client);
  const std::string old_room = own_room(client);
  if (!name.empty() && name != wish.name) co_return "You are " + name + " here; come in anew to change your name.";
  if (!name.empty() && old_room == wish.room) co_return std::string();

  gh::Cluster& cluster = client.cluster();
  bool tell = true;
  if (name.empty()) {
    Claim claim = Claim::taken;
    try {
      claim = co_await claim_name(client, wish);
    } catch (const gh::Error&) {
      cluster.leave_group(client.id(), claim_group(wish.name));
      throw;
    }
    if (claim == Claim::gone) co_return "The connection has ended.";
    if (claim == Claim::taken) {
      cluster.leave_group(client.id(), claim_group(wish.name));
      co_return "The name " + wish.name + " is taken.";
    }
    tell = claim != Claim::replaced;
    cluster.bind_uid(client.id(), wish.name);
  } else {
    leave_room(client, old_room, wish.via);
    send_to_room(cluster, {.kind = Post::Kind::left, .from = name, .via = wish.via, .room = old_room});
  }
  cluster.join_group(client.id(), room_group(wish.room));
  cluster.join_group(client.id(), form_group(wish.via, wish.room));
  gh::Value& session = client.session();
  session["name"] = wish.name;
  session["room"] = wish.room;
  session["via"] = name_of(wish.via);
  session["key"] = wish.key;
  if (tell) send_to_room(cluster, {.kind = Post::Kind::joined, .from = wish.name, .via = wish.via, .room = wish.room});
  co_return std::string();
}

gh::Task<People> people_in(gh::Client& client, const std::string& room) {
  const std::map<std::string, gh::Value> sessions = co_await client.cluster().sessions_by_group(room_group(room));
  std::map<std::string, Via> by_name;
  // One's own session is saved only when the handler has finished.
  by_name[own_name(client)] = via_of(client.session());
  for (const auto& [id, session] : sessions) {
    // No name yet: it is just coming in, and its notice will tell.
    if (const std::string name = field(session, "name"); !name.empty()) by_name[name] = via_of(session);
  }
  People people;
  people.count = by_name.size();
  for (const auto& [name, via] : by_name) {
    if (people.listed.size() == kMaxPeopleListed) break;
    people.listed.push_back({name, via});
  }
  co_return people;
}

void say(gh::Client& client, std::string_view text) {
  send_to_room(client.cluster(), {.kind = Post::Kind::chat,
                                  .from = own_name(client),
                                  .via = via_of(client.session()),
                                  .room = own_room(client),
                                  .text = readable(text)});
}

gh::Task<bool> say_to(gh::Client& client, const std::string& to, std::string_view text) {
  // Nobody can have such a name, and the cluster throws at an empty uid and at "0".
  if (!name_fault("A nickname", to).empty()) co_return false;
  gh::Cluster& cluster = client.cluster();
  const std::vector<std::string> ids = co_await cluster.client_ids_by_uid(to);
  if (ids.empty()) co_return false;
  const gh::Value other = co_await cluster.session(ids.front());
  if (field(other, "name") != to) co_return false;

  const Post post = {.kind = Post::Kind::private_words,
                     .from = own_name(client),
                     .via = via_of(client.session()),
                     .to = to,
                     .text = readable(text)};
  send_to_person(cluster, ids.front(), via_of(other), post);
  if (ids.front() != client.id()) send_to_person(cluster, client.id(), post.via, post);
  co_return true;
}

void leave(gh::Client& client, const gh::CloseReason& reason) {
  // Only claim_name() destroys connections, when the same person has come back on another one; it tells whom it concerns.
  if (!is_inside(client) || reason.cause == gh::CloseReason::Cause::destroyed) return;
  send_to_room(client.cluster(),
               {.kind = Post::Kind::left, .from = own_name(client), .via = via_of(client.session()), .room = own_room(client)});
}

}  // namespace chat
