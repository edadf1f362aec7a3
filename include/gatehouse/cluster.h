#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gatehouse/data.h>
#include <gatehouse/task.h>
#include <gatehouse/value.h>

namespace gatehouse {

class ClusterCalls;

/// Everything a worker can say to, and ask of, the gateways of its cluster. Reached through Client::cluster() and
/// Worker::cluster().
///
/// Commands return at once and are carried out in order; a client, uid or group that does not exist (any more) makes them a
/// no-op. Questions are asked on the same connections, behind the commands before them, so a worker always sees its own writes. A
/// question that a gateway does not answer within 5 seconds, or whose gateway is lost meanwhile, throws gatehouse::Error naming
/// the gateways that are missing.
///
/// send_to_uid with exceptions and close_uid take a question first on gateways of PHP, which have no command for them; what is
/// commanded right behind them may be carried out before.
///
/// A malformed client id, a uid or group that is empty, not UTF-8 or "0" (which upstream refuses too), and a session that cannot
/// be saved (a number over 63 bits, nesting over 128 levels) throw std::invalid_argument naming the argument. So does a call that
/// carries more than 32 MiB (33,554,432 bytes): its data, last words or session with the names (as they stand in JSON) and ids
/// (24 bytes each) beside them; the message has the limit and the size, and nothing has been sent. To a gateway of PHP, which
/// reads no more than 10 MiB of a command, a longer one is not sent; that is logged.
///
/// Thread rule: only on the worker's loop, as all business code.
class Cluster {
 public:
  explicit Cluster(ClusterCalls& calls) : calls_(calls) {}
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // Messages. `options.except` names clients that do not get it.

  /// To every client of the cluster, also to one that has not shaken hands yet: it gets it after its handshake.
  void send_to_all(Data data, const SendOptions& options = {});
  /// To those named only. Nobody named: nothing is sent.
  void send_to_clients(const Names& client_ids, Data data, const SendOptions& options = {});
  /// To one; without an effect when it is gone.
  void send_to_client(std::string_view client_id, Data data, const SendOptions& options = {});
  /// To all clients of these uids, on every gateway.
  void send_to_uid(const Names& uids, Data data, const SendOptions& options = {});
  /// To all clients in these groups, on every gateway. A member of two of them gets it twice, as upstream.
  void send_to_group(const Names& groups, Data data, const SendOptions& options = {});

  // Ends of connections. `last_words` are sent first, when there are any; empty ones are an empty message.

  /// Writes what is queued for it, then ends the connection; a WebSocket with close code 1000.
  void close_client(std::string_view client_id, std::optional<Data> last_words = std::nullopt);
  /// Ends the connection at once, without a close frame; what is queued is lost.
  void destroy_client(std::string_view client_id);
  /// close_client() for all clients of the uid.
  void close_uid(std::string_view uid, std::optional<Data> last_words = std::nullopt);

  /// Gives a client a heartbeat interval of its own, in place of GatewayOptions::ping_interval: at once, and counted anew from
  /// now. 0 is no heartbeat for it, std::nullopt the gateway's again. The gateway's ping_not_response_limit and ping_data hold
  /// for it too, and do so when its ping_interval is 0. From 0 to 49 days. Gateways of PHP do not know it: there it is a no-op,
  /// which is logged once.
  void set_ping_interval(std::string_view client_id, std::optional<std::chrono::milliseconds> interval);

  // Names for clients. A client has at most one uid; a uid may have many clients. A group is there as long as somebody is in it.
  // Names are text: "7" and 7 of PHP are one, "07" is another.

  /// Takes the place of the uid that the client had.
  void bind_uid(std::string_view client_id, std::string_view uid);
  void unbind_uid(std::string_view client_id);
  /// Nothing happens when it is in the group already.
  void join_group(std::string_view client_id, std::string_view group);
  void leave_group(std::string_view client_id, std::string_view group);
  /// All clients leave the group.
  void ungroup(std::string_view group);

  // Sessions of other clients (a handler's own is Client::session()). For the client whose handler is running, these go to the
  // gateway and are seen by its next event, but not by the Client::session() of this handler, whose changes are written over
  // them: use one or the other.

  /// In place of what is there. `session` is an object, an array or null.
  void set_session(std::string_view client_id, const Value& session);
  /// Merges into what is there, key by key and level by level (PHP's array_replace_recursive).
  void update_session(std::string_view client_id, const Value& changes);

  // Questions about one client. Only its gateway is asked; one that no register lists answers nothing and is not waited for.

  /// Whether it is connected, also when its handshake is not done yet.
  Task<bool> is_online(std::string_view client_id);
  /// Nothing when it has none or is gone.
  Task<std::optional<std::string>> uid_by_client_id(std::string_view client_id);
  Task<std::vector<std::string>> groups_by_client_id(std::string_view client_id);
  /// Null when the client is gone, an empty object when it has no session.
  Task<Value> session(std::string_view client_id);

  // Questions about a uid. All gateways are asked.

  /// Whether a client with this uid is connected.
  Task<bool> is_uid_online(std::string_view uid);
  Task<std::vector<std::string>> client_ids_by_uid(std::string_view uid);
  /// For several at once: every one of `uids` is in the answer.
  Task<std::map<std::string, bool>> are_uids_online(const Names& uids);
  Task<std::map<std::string, std::vector<std::string>>> client_ids_by_uids(const Names& uids);

  // Questions about a group, or all. All gateways are asked; lists are in no order. Clients count from their connect on, before
  // their handshake. A list holds everybody: with very many clients, ask for the count, or for a group.

  Task<std::size_t> client_count();
  Task<std::size_t> client_count_by_group(std::string_view group);
  /// For several at once: every one of `groups` is in the answer.
  Task<std::map<std::string, std::size_t>> client_counts_by_groups(const Names& groups);
  Task<std::vector<std::string>> client_ids();
  Task<std::vector<std::string>> client_ids_by_group(std::string_view group);
  /// Each uid once, however many clients have it.
  Task<std::vector<std::string>> uids();
  Task<std::vector<std::string>> uids_by_group(std::string_view group);
  Task<std::size_t> uid_count();
  Task<std::size_t> uid_count_by_group(std::string_view group);
  /// The groups that have somebody in them.
  Task<std::vector<std::string>> group_ids();
  /// Client id to session.
  Task<std::map<std::string, Value>> sessions();
  Task<std::map<std::string, Value>> sessions_by_group(std::string_view group);

  // Questions about all groups that have somebody in them: group to client ids, or to uids, each of these once.
  Task<std::map<std::string, std::vector<std::string>>> clients_by_all_groups();
  Task<std::map<std::string, std::vector<std::string>>> uids_by_all_groups();
  Task<std::map<std::string, std::size_t>> client_counts_by_all_groups();
  Task<std::map<std::string, std::size_t>> uid_counts_by_all_groups();

 private:
  ClusterCalls& calls_;
};

}  // namespace gatehouse
