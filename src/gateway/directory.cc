#include "gateway/directory.h"

#include <algorithm>

namespace gatehouse::gateway {

void Directory::bind_uid(std::uint32_t client, std::string_view uid) {
  if (uid_of(clients_[client]) == uid) return;
  unbind_uid(client);
  ClientRecord& record = clients_[client];
  record.uid = uids_.find_or_make(uid);
  record.uid_position = uids_.add(record.uid, {client, 0});
}

void Directory::unbind_uid(std::uint32_t client) {
  ClientRecord& record = clients_[client];
  if (record.uid == ClientRecord::kNoUid) return;
  const MemberLists::Moved moved = uids_.remove(record.uid, record.uid_position);
  if (moved.any) clients_[moved.member.client].uid_position = record.uid_position;
  record.uid = ClientRecord::kNoUid;
}

void Directory::join(std::uint32_t client, std::string_view group) {
  ClientRecord& record = clients_[client];
  const std::uint32_t list = groups_.find_or_make(group);
  if (record.groups == nullptr) record.groups = std::make_unique<std::vector<Membership>>();
  std::vector<Membership>& memberships = *record.groups;
  const bool already = std::any_of(memberships.begin(), memberships.end(), [&](const Membership& m) { return m.list == list; });
  if (already) return;
  const auto back = static_cast<std::uint32_t>(memberships.size());
  memberships.push_back({list, groups_.add(list, {client, back})});
}

void Directory::leave(std::uint32_t client, std::string_view group) {
  ClientRecord& record = clients_[client];
  const std::uint32_t list = groups_.find(group);
  if (list == MemberLists::kNone || record.groups == nullptr) return;
  const auto& memberships = *record.groups;
  const auto found = std::find_if(memberships.begin(), memberships.end(), [&](const Membership& m) { return m.list == list; });
  if (found != memberships.end()) leave_at(client, static_cast<std::size_t>(found - memberships.begin()));
}

void Directory::leave_at(std::uint32_t client, std::size_t place) {
  std::vector<Membership>& memberships = *clients_[client].groups;
  const Membership gone = memberships[place];
  const MemberLists::Moved moved = groups_.remove(gone.list, gone.position);
  if (moved.any) (*clients_[moved.member.client].groups)[moved.member.back].position = gone.position;
  // The client's own list closes its gap the same way, and tells the group that membership's new place.
  if (place + 1 != memberships.size()) {
    memberships[place] = memberships.back();
    groups_.set_back(memberships[place].list, memberships[place].position, static_cast<std::uint32_t>(place));
  }
  memberships.pop_back();
  if (memberships.empty()) clients_[client].groups.reset();
}

void Directory::ungroup(std::string_view group) {
  // The list is freed with its last member, so it is looked up anew each time.
  for (std::uint32_t list = groups_.find(group); list != MemberLists::kNone; list = groups_.find(group)) {
    const Member last = groups_.members(list).back();
    leave_at(last.client, last.back);
  }
}

void Directory::forget(std::uint32_t client) {
  unbind_uid(client);
  while (clients_[client].groups != nullptr) leave_at(client, clients_[client].groups->size() - 1);
}

}  // namespace gatehouse::gateway
