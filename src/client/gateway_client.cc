#include <gatehouse/gateway_client.h>

#include <utility>

#include "client/client_thread.h"
#include "link/answers.h"
#include "link/arguments.h"

namespace gatehouse {
namespace {

constexpr std::size_t kCallBytes = 256;  // about what a command holds besides its strings

/// Data with its bytes, to be taken to another thread.
class OwnData {
 public:
  OwnData(Data data) : bytes_(data.bytes()), binary_(data.is_binary()) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] Data get() const { return binary_ ? binary(bytes_) : Data(bytes_); }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  std::string bytes_;
  bool binary_;
};

class OwnLastWords {
 public:
  explicit OwnLastWords(const std::optional<Data>& words) {
    if (words) data_.emplace(*words);
  }
  [[nodiscard]] std::optional<Data> get() const { return data_ ? std::optional(data_->get()) : std::nullopt; }
  [[nodiscard]] std::size_t size() const { return data_ ? data_->size() : 0; }

 private:
  std::optional<OwnData> data_;
};

std::string_view checked(std::string_view text, std::string_view name) {
  link::check_name(text, name);
  return text;
}

std::vector<std::string> one_group(std::string_view group) { return {std::string(checked(group, "group"))}; }

}  // namespace

GatewayClient::GatewayClient(GatewayClientOptions options) : thread_(std::make_unique<ClientThread>(std::move(options))) {}
GatewayClient::~GatewayClient() {
  // Its connections are shared with the parent: to end them here would end them there.
  if (thread_->is_in_child()) (void)thread_.release();
}

void GatewayClient::flush(std::chrono::milliseconds timeout) { thread_->flush(timeout); }

void GatewayClient::send_to_all(Data data, const SendOptions& options) {
  link::check_options(options);
  link::check_size(data, options);
  OwnData own(data);
  thread_->command(kCallBytes + own.size(),
                   [own = std::move(own), options](ClusterCalls& calls) { calls.send_to_all(own.get(), options); });
}

void GatewayClient::send_to_clients(const Names& client_ids, Data data, const SendOptions& options) {
  link::check_client_ids(client_ids.list(), "client_ids");
  link::check_options(options);
  link::check_size(data, options, client_ids.list().size());
  std::vector<std::string> ids(client_ids.list().begin(), client_ids.list().end());
  OwnData own(data);
  thread_->command(kCallBytes * (1 + ids.size()) + own.size(),
                   [ids = std::move(ids), own = std::move(own), options](ClusterCalls& calls) {
                     calls.send_to_clients(ids, own.get(), options);
                   });
}

void GatewayClient::send_to_client(std::string_view client_id, Data data, const SendOptions& options) {
  link::check_client_id(client_id);
  link::check_options(options);
  link::check_size(data, options);
  OwnData own(data);
  thread_->command(kCallBytes + own.size(), [id = std::string(client_id), own = std::move(own), options](ClusterCalls& calls) {
    calls.send_to_client(id, own.get(), options);
  });
}

void GatewayClient::send_to_uid(const Names& uids, Data data, const SendOptions& options) {
  std::vector<std::string> names = link::check_names(uids, "uid");
  link::check_options(options);
  link::check_size(data, options, names);
  OwnData own(data);
  thread_->command(kCallBytes * (1 + names.size()) + own.size(),
                   [names = std::move(names), own = std::move(own), options](ClusterCalls& calls) {
                     calls.send_to_uid(names, own.get(), options);
                   });
}

void GatewayClient::send_to_group(const Names& groups, Data data, const SendOptions& options) {
  std::vector<std::string> names = link::check_names(groups, "group");
  link::check_options(options);
  link::check_size(data, options, names);
  OwnData own(data);
  thread_->command(kCallBytes * (1 + names.size()) + own.size(),
                   [names = std::move(names), own = std::move(own), options](ClusterCalls& calls) {
                     calls.send_to_group(names, own.get(), options);
                   });
}

void GatewayClient::close_client(std::string_view client_id, std::optional<Data> last_words) {
  const wire::ClientId client = link::check_client_id(client_id);
  link::check_size(last_words);
  OwnLastWords own(last_words);
  thread_->command(kCallBytes + own.size(),
                   [client, own = std::move(own)](ClusterCalls& calls) { calls.close(client, own.get()); });
}

void GatewayClient::destroy_client(std::string_view client_id) {
  thread_->command(kCallBytes, [client = link::check_client_id(client_id)](ClusterCalls& calls) { calls.destroy(client); });
}

void GatewayClient::close_uid(std::string_view uid, std::optional<Data> last_words) {
  link::check_name(uid, "uid");
  link::check_size(last_words, uid);
  OwnLastWords own(last_words);
  thread_->command(kCallBytes + own.size(),
                   [uid = std::string(uid), own = std::move(own)](ClusterCalls& calls) { calls.close_uid(uid, own.get()); });
}

void GatewayClient::set_ping_interval(std::string_view client_id, std::optional<std::chrono::milliseconds> interval) {
  const wire::ClientId client = link::check_client_id(client_id);
  (void)link::check_ping_interval(interval, "interval");
  thread_->command(kCallBytes, [client, interval](ClusterCalls& calls) { calls.set_ping_interval(client, interval); });
}

void GatewayClient::bind_uid(std::string_view client_id, std::string_view uid) {
  link::check_client_id(client_id);
  link::check_name(uid, "uid");
  thread_->command(kCallBytes,
                   [id = std::string(client_id), uid = std::string(uid)](ClusterCalls& calls) { calls.bind_uid(id, uid); });
}

void GatewayClient::unbind_uid(std::string_view client_id) {
  link::check_client_id(client_id);
  thread_->command(kCallBytes, [id = std::string(client_id)](ClusterCalls& calls) { calls.unbind_uid(id); });
}

void GatewayClient::join_group(std::string_view client_id, std::string_view group) {
  link::check_client_id(client_id);
  link::check_name(group, "group");
  thread_->command(kCallBytes, [id = std::string(client_id), group = std::string(group)](ClusterCalls& calls) {
    calls.join_group(id, group);
  });
}

void GatewayClient::leave_group(std::string_view client_id, std::string_view group) {
  link::check_client_id(client_id);
  link::check_name(group, "group");
  thread_->command(kCallBytes, [id = std::string(client_id), group = std::string(group)](ClusterCalls& calls) {
    calls.leave_group(id, group);
  });
}

void GatewayClient::ungroup(std::string_view group) {
  link::check_name(group, "group");
  thread_->command(kCallBytes, [group = std::string(group)](ClusterCalls& calls) { calls.ungroup(group); });
}

void GatewayClient::set_session(std::string_view client_id, const Value& session) {
  const wire::ClientId client = link::check_client_id(client_id);
  std::string bytes = link::check_session(session, "session");
  thread_->command(kCallBytes + bytes.size(), [client, bytes = std::move(bytes)](ClusterCalls& calls) {
    calls.set_session(client, std::string_view(bytes));
  });
}

void GatewayClient::update_session(std::string_view client_id, const Value& changes) {
  const wire::ClientId client = link::check_client_id(client_id);
  std::string bytes = link::check_session(changes, "changes");
  thread_->command(kCallBytes + bytes.size(), [client, bytes = std::move(bytes)](ClusterCalls& calls) {
    calls.update_session(client, std::string_view(bytes));
  });
}

bool GatewayClient::is_online(std::string_view client_id) {
  return link::is_online(thread_->ask(link::ask_is_online(link::check_client_id(client_id))));
}

std::optional<std::string> GatewayClient::uid_by_client_id(std::string_view client_id) {
  return link::uid_of(thread_->ask(link::ask_uid(link::check_client_id(client_id))));
}

std::vector<std::string> GatewayClient::groups_by_client_id(std::string_view client_id) {
  return link::groups_of(thread_->ask(link::ask_groups(link::check_client_id(client_id))));
}

Value GatewayClient::session(std::string_view client_id) {
  return link::session_of(thread_->ask(link::ask_session(link::check_client_id(client_id))));
}

bool GatewayClient::is_uid_online(std::string_view uid) {
  return link::is_uid_online(thread_->ask(link::ask_client_ids_by_uid(checked(uid, "uid"))));
}

std::vector<std::string> GatewayClient::client_ids_by_uid(std::string_view uid) {
  return link::client_ids_of_uid(thread_->ask(link::ask_client_ids_by_uid(checked(uid, "uid"))));
}

std::map<std::string, bool> GatewayClient::are_uids_online(const Names& uids) {
  const std::vector<std::string> names = link::check_names(uids, "uids");
  return link::are_uids_online(thread_->ask(link::ask_client_ids_by_uids(names)), names);
}

std::map<std::string, std::vector<std::string>> GatewayClient::client_ids_by_uids(const Names& uids) {
  const std::vector<std::string> names = link::check_names(uids, "uids");
  return link::client_ids_of_uids(thread_->ask(link::ask_client_ids_by_uids(names)), names);
}

std::size_t GatewayClient::client_count() { return link::client_count(thread_->ask(link::ask_client_count())); }

std::size_t GatewayClient::client_count_by_group(std::string_view group) {
  return link::client_count(thread_->ask(link::ask_client_count(checked(group, "group"))));
}

std::map<std::string, std::size_t> GatewayClient::client_counts_by_groups(const Names& groups) {
  const std::vector<std::string> names = link::check_names(groups, "groups");
  return link::client_counts(thread_->ask(link::ask_client_counts(names)), names);
}

std::vector<std::string> GatewayClient::client_ids() { return link::client_ids(thread_->ask(link::ask_clients())); }

std::vector<std::string> GatewayClient::client_ids_by_group(std::string_view group) {
  return link::client_ids(thread_->ask(link::ask_clients(one_group(group))));
}

std::vector<std::string> GatewayClient::uids() { return link::uids(thread_->ask(link::ask_clients())); }

std::vector<std::string> GatewayClient::uids_by_group(std::string_view group) {
  return link::uids(thread_->ask(link::ask_clients(one_group(group))));
}

std::size_t GatewayClient::uid_count() { return link::uid_count(thread_->ask(link::ask_clients())); }

std::size_t GatewayClient::uid_count_by_group(std::string_view group) {
  return link::uid_count(thread_->ask(link::ask_clients(one_group(group))));
}

std::vector<std::string> GatewayClient::group_ids() { return link::group_ids(thread_->ask(link::ask_group_ids())); }

std::map<std::string, Value> GatewayClient::sessions() { return link::sessions(thread_->ask(link::ask_sessions())); }

std::map<std::string, Value> GatewayClient::sessions_by_group(std::string_view group) {
  return link::sessions(thread_->ask(link::ask_sessions(checked(group, "group"))));
}

std::map<std::string, std::vector<std::string>> GatewayClient::clients_by_all_groups() {
  return link::clients_by_group(thread_->ask(link::ask_memberships()));
}

std::map<std::string, std::vector<std::string>> GatewayClient::uids_by_all_groups() {
  return link::uids_by_group(thread_->ask(link::ask_memberships()));
}

std::map<std::string, std::size_t> GatewayClient::client_counts_by_all_groups() {
  return link::client_counts_by_group(thread_->ask(link::ask_memberships()));
}

std::map<std::string, std::size_t> GatewayClient::uid_counts_by_all_groups() {
  return link::uid_counts_by_group(thread_->ask(link::ask_memberships()));
}

}  // namespace gatehouse
