#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gatehouse/value.h>

#include "link/questions.h"

namespace gatehouse::link {

// What the answers of all gateways come to. Each throws gatehouse::Error, naming the gateways, when some of them did not answer
// or answered something that cannot be read.

bool is_online(const Answers& answers);
/// Null when the client is gone, an empty object when it has no session.
Value session_of(const Answers& answers);
std::optional<std::string> uid_of(const Answers& answers);
std::vector<std::string> groups_of(const Answers& answers);
/// Of ask_client_ids_by_uid().
std::vector<std::string> client_ids_of_uid(const Answers& answers);
bool is_uid_online(const Answers& answers);
std::map<std::string, bool> are_uids_online(const Answers& answers, const std::vector<std::string>& uids);
/// Of ask_client_ids_by_uids(): every one of `uids` is in it.
std::map<std::string, std::vector<std::string>> client_ids_of_uids(const Answers& answers, const std::vector<std::string>& uids);
/// Of ask_client_counts(): every one of `groups` is in it.
std::map<std::string, std::size_t> client_counts(const Answers& answers, const std::vector<std::string>& groups);
/// Of ask_memberships(). Groups that have somebody in them, with client ids, and with uids, each once; upstream's loop over them
/// ends at the first client that has no group or uid and loses the rest, this one does not.
std::map<std::string, std::vector<std::string>> clients_by_group(const Answers& answers);
std::map<std::string, std::vector<std::string>> uids_by_group(const Answers& answers);
std::map<std::string, std::size_t> client_counts_by_group(const Answers& answers);
std::map<std::string, std::size_t> uid_counts_by_group(const Answers& answers);
/// Of ask_client_count().
std::size_t client_count(const Answers& answers);
/// Of ask_clients(): the ids of all clients that were found.
std::vector<std::string> client_ids(const Answers& answers);
/// Of ask_clients(): their uids, each once.
std::vector<std::string> uids(const Answers& answers);
std::size_t uid_count(const Answers& answers);
/// Each once.
std::vector<std::string> group_ids(const Answers& answers);
std::map<std::string, Value> sessions(const Answers& answers);

}  // namespace gatehouse::link
