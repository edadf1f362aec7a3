#include "calls.h"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace gh = gatehouse;

namespace {

using gh::Cluster;
using gh::Value;

/// What a request says, by name; a name that is missing throws.
class Request {
 public:
  explicit Request(const Value& request) : request_(request) {}

  [[nodiscard]] std::string text(const char* name) const { return request_.at(name).get<std::string>(); }
  [[nodiscard]] std::vector<std::string> list(const char* name) const {
    return request_.at(name).get<std::vector<std::string>>();
  }
  [[nodiscard]] const Value& value() const { return request_.at("value"); }
  [[nodiscard]] gh::Data data(const char* name) const {
    const std::string_view bytes = request_.at(name).get_ref<const std::string&>();
    return request_.value("binary", false) ? gh::binary(bytes) : gh::Data(bytes);
  }
  [[nodiscard]] std::optional<gh::Data> last_words() const {
    if (!request_.contains("last_words") || request_.at("last_words").is_null()) return std::nullopt;
    return data("last_words");
  }
  [[nodiscard]] gh::SendOptions options() const {
    return {.except = request_.value("except", std::vector<std::string>()), .raw = request_.value("raw", false)};
  }

 private:
  const Value& request_;
};

using Command = void (*)(Cluster&, const Request&);
using Question = gh::Task<Value> (*)(Cluster&, const Request&);

const std::map<std::string, Command>& commands() {
  static const std::map<std::string, Command> table = {
      {"send_to_all", [](Cluster& c, const Request& r) { c.send_to_all(r.data("data"), r.options()); }},
      {"send_to_clients",
       [](Cluster& c, const Request& r) { c.send_to_clients(r.list("clients"), r.data("data"), r.options()); }},
      {"send_to_client", [](Cluster& c, const Request& r) { c.send_to_client(r.text("client"), r.data("data"), r.options()); }},
      {"send_to_uid", [](Cluster& c, const Request& r) { c.send_to_uid(r.list("uids"), r.data("data"), r.options()); }},
      {"send_to_group", [](Cluster& c, const Request& r) { c.send_to_group(r.list("groups"), r.data("data"), r.options()); }},
      {"close_client", [](Cluster& c, const Request& r) { c.close_client(r.text("client"), r.last_words()); }},
      {"destroy_client", [](Cluster& c, const Request& r) { c.destroy_client(r.text("client")); }},
      {"close_uid", [](Cluster& c, const Request& r) { c.close_uid(r.text("uid"), r.last_words()); }},
      {"set_ping_interval",
       [](Cluster& c, const Request& r) {
         c.set_ping_interval(r.text("client"), std::chrono::milliseconds(r.value().get<int>()));
       }},
      {"bind_uid", [](Cluster& c, const Request& r) { c.bind_uid(r.text("client"), r.text("uid")); }},
      {"unbind_uid", [](Cluster& c, const Request& r) { c.unbind_uid(r.text("client")); }},
      {"join_group", [](Cluster& c, const Request& r) { c.join_group(r.text("client"), r.text("group")); }},
      {"leave_group", [](Cluster& c, const Request& r) { c.leave_group(r.text("client"), r.text("group")); }},
      {"ungroup", [](Cluster& c, const Request& r) { c.ungroup(r.text("group")); }},
      {"set_session", [](Cluster& c, const Request& r) { c.set_session(r.text("client"), r.value()); }},
      {"update_session", [](Cluster& c, const Request& r) { c.update_session(r.text("client"), r.value()); }},
  };
  return table;
}

gh::Task<Value> uid_of(Cluster& cluster, const Request& request) {
  const auto uid = co_await cluster.uid_by_client_id(request.text("client"));
  co_return uid ? Value(*uid) : Value();
}

const std::map<std::string, Question>& questions() {
  static const std::map<std::string, Question> table = {
      {"is_online", [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.is_online(r.text("client")); }},
      {"uid_by_client_id", uid_of},
      {"groups_by_client_id",
       [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.groups_by_client_id(r.text("client")); }},
      {"session", [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.session(r.text("client")); }},
      {"is_uid_online",
       [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.is_uid_online(r.text("uid")); }},
      {"client_ids_by_uid",
       [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.client_ids_by_uid(r.text("uid")); }},
      {"are_uids_online",
       [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.are_uids_online(r.list("uids")); }},
      {"client_ids_by_uids",
       [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.client_ids_by_uids(r.list("uids")); }},
      {"client_count", [](Cluster& c, const Request&) -> gh::Task<Value> { co_return co_await c.client_count(); }},
      {"client_count_by_group",
       [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.client_count_by_group(r.text("group")); }},
      {"client_counts_by_groups",
       [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.client_counts_by_groups(r.list("groups")); }},
      {"client_ids", [](Cluster& c, const Request&) -> gh::Task<Value> { co_return co_await c.client_ids(); }},
      {"client_ids_by_group",
       [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.client_ids_by_group(r.text("group")); }},
      {"uids", [](Cluster& c, const Request&) -> gh::Task<Value> { co_return co_await c.uids(); }},
      {"uids_by_group",
       [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.uids_by_group(r.text("group")); }},
      {"uid_count", [](Cluster& c, const Request&) -> gh::Task<Value> { co_return co_await c.uid_count(); }},
      {"uid_count_by_group",
       [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.uid_count_by_group(r.text("group")); }},
      {"group_ids", [](Cluster& c, const Request&) -> gh::Task<Value> { co_return co_await c.group_ids(); }},
      {"sessions", [](Cluster& c, const Request&) -> gh::Task<Value> { co_return co_await c.sessions(); }},
      {"sessions_by_group",
       [](Cluster& c, const Request& r) -> gh::Task<Value> { co_return co_await c.sessions_by_group(r.text("group")); }},
      {"clients_by_all_groups",
       [](Cluster& c, const Request&) -> gh::Task<Value> { co_return co_await c.clients_by_all_groups(); }},
      {"uids_by_all_groups", [](Cluster& c, const Request&) -> gh::Task<Value> { co_return co_await c.uids_by_all_groups(); }},
      {"client_counts_by_all_groups",
       [](Cluster& c, const Request&) -> gh::Task<Value> { co_return co_await c.client_counts_by_all_groups(); }},
      {"uid_counts_by_all_groups",
       [](Cluster& c, const Request&) -> gh::Task<Value> { co_return co_await c.uid_counts_by_all_groups(); }},
  };
  return table;
}

}  // namespace

gh::Task<Value> make_call(Cluster& cluster, const Value& request) {
  const std::string name = request.at("call").get<std::string>();
  const Request arguments(request);
  if (const auto command = commands().find(name); command != commands().end()) {
    command->second(cluster, arguments);
    co_return Value();
  }
  const auto question = questions().find(name);
  if (question == questions().end()) throw std::invalid_argument("no such call: " + name);
  co_return co_await question->second(cluster, arguments);
}
