#include <gatehouse/cluster.h>

#include <utility>

#include "link/answers.h"
#include "link/arguments.h"
#include "worker/question.h"

namespace gatehouse {
namespace {

/// The public questions are plain functions that check and copy their arguments and then make this coroutine, so that a task may
/// be awaited after its arguments are gone.
template <class T>
Task<T> answer(ClusterCalls& calls, link::Inquiry inquiry, T (*read)(const link::Answers&)) {
  const link::Answers answers = co_await Question(calls, std::move(inquiry));
  co_return read(answers);
}

/// The same about several, which the answer must name all.
template <class T>
Task<T> answer_about(ClusterCalls& calls, link::Inquiry inquiry, std::vector<std::string> names,
                     T (*read)(const link::Answers&, const std::vector<std::string>&)) {
  const link::Answers answers = co_await Question(calls, std::move(inquiry));
  co_return read(answers, names);
}

std::vector<std::string> one_group(std::string_view group) {
  link::check_name(group, "group");
  return {std::string(group)};
}

std::string_view checked(std::string_view text, std::string_view name) {
  link::check_name(text, name);
  return text;
}

}  // namespace

void Cluster::send_to_all(Data data, const SendOptions& options) { calls_.send_to_all(data, options); }

void Cluster::send_to_clients(const Names& client_ids, Data data, const SendOptions& options) {
  calls_.send_to_clients(client_ids, data, options);
}

void Cluster::send_to_client(std::string_view client_id, Data data, const SendOptions& options) {
  calls_.send_to_client(client_id, data, options);
}

void Cluster::send_to_uid(const Names& uids, Data data, const SendOptions& options) { calls_.send_to_uid(uids, data, options); }

void Cluster::send_to_group(const Names& groups, Data data, const SendOptions& options) {
  calls_.send_to_group(groups, data, options);
}

void Cluster::close_client(std::string_view client_id, std::optional<Data> last_words) {
  calls_.close_client(client_id, last_words);
}

void Cluster::close_uid(std::string_view uid, std::optional<Data> last_words) { calls_.close_uid(uid, last_words); }

void Cluster::destroy_client(std::string_view client_id) { calls_.destroy_client(client_id); }

void Cluster::set_ping_interval(std::string_view client_id, std::optional<std::chrono::milliseconds> interval) {
  calls_.set_ping_interval(client_id, interval);
}

void Cluster::bind_uid(std::string_view client_id, std::string_view uid) { calls_.bind_uid(client_id, uid); }

void Cluster::unbind_uid(std::string_view client_id) { calls_.unbind_uid(client_id); }

void Cluster::join_group(std::string_view client_id, std::string_view group) { calls_.join_group(client_id, group); }

void Cluster::leave_group(std::string_view client_id, std::string_view group) { calls_.leave_group(client_id, group); }

void Cluster::ungroup(std::string_view group) { calls_.ungroup(group); }

void Cluster::set_session(std::string_view client_id, const Value& session) { calls_.set_session(client_id, session); }

void Cluster::update_session(std::string_view client_id, const Value& changes) { calls_.update_session(client_id, changes); }

Task<bool> Cluster::is_online(std::string_view client_id) {
  return answer(calls_, link::ask_is_online(link::check_client_id(client_id)), &link::is_online);
}

Task<std::optional<std::string>> Cluster::uid_by_client_id(std::string_view client_id) {
  return answer(calls_, link::ask_uid(link::check_client_id(client_id)), &link::uid_of);
}

Task<std::vector<std::string>> Cluster::groups_by_client_id(std::string_view client_id) {
  return answer(calls_, link::ask_groups(link::check_client_id(client_id)), &link::groups_of);
}

Task<Value> Cluster::session(std::string_view client_id) {
  return answer(calls_, link::ask_session(link::check_client_id(client_id)), &link::session_of);
}

Task<bool> Cluster::is_uid_online(std::string_view uid) {
  return answer(calls_, link::ask_client_ids_by_uid(checked(uid, "uid")), &link::is_uid_online);
}

Task<std::vector<std::string>> Cluster::client_ids_by_uid(std::string_view uid) {
  return answer(calls_, link::ask_client_ids_by_uid(checked(uid, "uid")), &link::client_ids_of_uid);
}

Task<std::map<std::string, bool>> Cluster::are_uids_online(const Names& uids) {
  std::vector<std::string> names = link::check_names(uids, "uids");
  link::Inquiry inquiry = link::ask_client_ids_by_uids(names);
  return answer_about(calls_, std::move(inquiry), std::move(names), &link::are_uids_online);
}

Task<std::map<std::string, std::vector<std::string>>> Cluster::client_ids_by_uids(const Names& uids) {
  std::vector<std::string> names = link::check_names(uids, "uids");
  link::Inquiry inquiry = link::ask_client_ids_by_uids(names);
  return answer_about(calls_, std::move(inquiry), std::move(names), &link::client_ids_of_uids);
}

Task<std::map<std::string, std::size_t>> Cluster::client_counts_by_groups(const Names& groups) {
  std::vector<std::string> names = link::check_names(groups, "groups");
  link::Inquiry inquiry = link::ask_client_counts(names);
  return answer_about(calls_, std::move(inquiry), std::move(names), &link::client_counts);
}

Task<std::size_t> Cluster::client_count() { return answer(calls_, link::ask_client_count(), &link::client_count); }

Task<std::size_t> Cluster::client_count_by_group(std::string_view group) {
  return answer(calls_, link::ask_client_count(checked(group, "group")), &link::client_count);
}

Task<std::vector<std::string>> Cluster::client_ids() { return answer(calls_, link::ask_clients(), &link::client_ids); }

Task<std::vector<std::string>> Cluster::client_ids_by_group(std::string_view group) {
  return answer(calls_, link::ask_clients(one_group(group)), &link::client_ids);
}

Task<std::vector<std::string>> Cluster::uids() { return answer(calls_, link::ask_clients(), &link::uids); }

Task<std::vector<std::string>> Cluster::uids_by_group(std::string_view group) {
  return answer(calls_, link::ask_clients(one_group(group)), &link::uids);
}

Task<std::size_t> Cluster::uid_count() { return answer(calls_, link::ask_clients(), &link::uid_count); }

Task<std::size_t> Cluster::uid_count_by_group(std::string_view group) {
  return answer(calls_, link::ask_clients(one_group(group)), &link::uid_count);
}

Task<std::vector<std::string>> Cluster::group_ids() { return answer(calls_, link::ask_group_ids(), &link::group_ids); }

Task<std::map<std::string, Value>> Cluster::sessions() { return answer(calls_, link::ask_sessions(), &link::sessions); }

Task<std::map<std::string, Value>> Cluster::sessions_by_group(std::string_view group) {
  return answer(calls_, link::ask_sessions(checked(group, "group")), &link::sessions);
}

Task<std::map<std::string, std::vector<std::string>>> Cluster::clients_by_all_groups() {
  return answer(calls_, link::ask_memberships(), &link::clients_by_group);
}

Task<std::map<std::string, std::vector<std::string>>> Cluster::uids_by_all_groups() {
  return answer(calls_, link::ask_memberships(), &link::uids_by_group);
}

Task<std::map<std::string, std::size_t>> Cluster::client_counts_by_all_groups() {
  return answer(calls_, link::ask_memberships(), &link::client_counts_by_group);
}

Task<std::map<std::string, std::size_t>> Cluster::uid_counts_by_all_groups() {
  return answer(calls_, link::ask_memberships(), &link::uid_counts_by_group);
}

}  // namespace gatehouse
