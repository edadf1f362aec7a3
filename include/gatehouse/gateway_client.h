#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gatehouse/callback.h>
#include <gatehouse/data.h>
#include <gatehouse/error.h>
#include <gatehouse/inner_tls.h>
#include <gatehouse/value.h>

namespace gatehouse {

class ClientThread;

struct GatewayClientOptions {
  std::vector<std::string> register_addresses = {"127.0.0.1:1236"};
  /// That of the cluster.
  std::string secret_key = {};
  /// That of the cluster. Files that cannot be used are std::invalid_argument. They are read again when they change.
  InnerTls inner_tls = {};
  /// How long a call waits for a register to tell which gateways there are, when none has yet.
  std::chrono::milliseconds connect_timeout{3000};
  /// How long a question waits for the gateways' answers.
  std::chrono::milliseconds question_timeout{5000};
  /// Takes what there is to say about connections, as in `[](std::string_view level, std::string_view message) {...}`: `level` is
  /// "info", "warning" or "error". Called on a thread of the client's own; may not call the client. Empty: nothing is said.
  Callback<std::string_view, std::string_view> log = {};
};

/// The calls of Cluster, for programs that are no worker: a web back end, a cron job, a bridge.
///
/// Commands return at once and are carried out in order. Questions block until all gateways have answered, see the commands
/// before them, and throw gatehouse::Error when some did not answer in time; Error::gateways() names those. A gateway that is
/// down keeps no command from the others. flush() tells whether the commands have arrived.
///
/// An object has one thread and one connection to each gateway, which it keeps, makes anew after a loss, and adds to when
/// gateways join. One object each for several clusters. Bad arguments throw std::invalid_argument, as those of Cluster do, and so
/// does a call that carries more than 32 MiB (see Cluster): in the caller, with nothing sent. What is too long for a gateway of
/// PHP (10 MiB) is not sent to it, and flush() says so. When other code in the process has closed this object's
/// descriptors, every call throws Error from then on: make another one.
///
/// Thread rule: any thread, several at once. The commands of one thread keep their order. Nothing is kept over fork(): make the
/// object in the process that uses it. In a child of fork() every call of an object of its parent throws std::logic_error.
class GatewayClient {
 public:
  /// Returns at once; the connections are made meanwhile.
  explicit GatewayClient(GatewayClientOptions options);
  GatewayClient(const GatewayClient&) = delete;
  GatewayClient& operator=(const GatewayClient&) = delete;
  /// Waits up to a second for what has been commanded to arrive.
  ~GatewayClient();

  /// Returns when every gateway has carried out all that was commanded before. Throws Error naming the gateways that did not say
  /// so in time, and those that commands did not reach, or may not have reached, since the last flush.
  void flush(std::chrono::milliseconds timeout = std::chrono::milliseconds(5000));

  // Messages. For each call see Cluster.
  void send_to_all(Data data, const SendOptions& options = {});
  void send_to_clients(const Names& client_ids, Data data, const SendOptions& options = {});
  void send_to_client(std::string_view client_id, Data data, const SendOptions& options = {});
  void send_to_uid(const Names& uids, Data data, const SendOptions& options = {});
  void send_to_group(const Names& groups, Data data, const SendOptions& options = {});

  // Ends of connections.
  void close_client(std::string_view client_id, std::optional<Data> last_words = std::nullopt);
  void destroy_client(std::string_view client_id);
  void close_uid(std::string_view uid, std::optional<Data> last_words = std::nullopt);

  void set_ping_interval(std::string_view client_id, std::optional<std::chrono::milliseconds> interval);

  // Names for clients.
  void bind_uid(std::string_view client_id, std::string_view uid);
  void unbind_uid(std::string_view client_id);
  void join_group(std::string_view client_id, std::string_view group);
  void leave_group(std::string_view client_id, std::string_view group);
  void ungroup(std::string_view group);

  // Sessions.
  void set_session(std::string_view client_id, const Value& session);
  void update_session(std::string_view client_id, const Value& changes);

  // Questions about one client.
  bool is_online(std::string_view client_id);
  std::optional<std::string> uid_by_client_id(std::string_view client_id);
  std::vector<std::string> groups_by_client_id(std::string_view client_id);
  /// Null when the client is gone, an empty object when it has no session.
  Value session(std::string_view client_id);

  // Questions about uids.
  bool is_uid_online(std::string_view uid);
  std::vector<std::string> client_ids_by_uid(std::string_view uid);
  std::map<std::string, bool> are_uids_online(const Names& uids);
  std::map<std::string, std::vector<std::string>> client_ids_by_uids(const Names& uids);

  // Questions about a group, or all clients.
  std::size_t client_count();
  std::size_t client_count_by_group(std::string_view group);
  std::map<std::string, std::size_t> client_counts_by_groups(const Names& groups);
  std::vector<std::string> client_ids();
  std::vector<std::string> client_ids_by_group(std::string_view group);
  std::vector<std::string> uids();
  std::vector<std::string> uids_by_group(std::string_view group);
  std::size_t uid_count();
  std::size_t uid_count_by_group(std::string_view group);
  std::vector<std::string> group_ids();
  /// Client id to session.
  std::map<std::string, Value> sessions();
  std::map<std::string, Value> sessions_by_group(std::string_view group);

  // Questions about all groups.
  std::map<std::string, std::vector<std::string>> clients_by_all_groups();
  std::map<std::string, std::vector<std::string>> uids_by_all_groups();
  std::map<std::string, std::size_t> client_counts_by_all_groups();
  std::map<std::string, std::size_t> uid_counts_by_all_groups();

 private:
  std::unique_ptr<ClientThread> thread_;
};

}  // namespace gatehouse
