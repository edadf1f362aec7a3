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

std::size_t Directory::place_of(std::uint32_t client, std::uint32_t list) const {
  const auto& groups = clients_[client].groups;
  if (list == MemberLists::kNone || groups == nullptr) return kNowhere;
  if (groups->size() > kLookedThrough) {
    const auto found = places_.find(key(client, list));
    return found == places_.end() ? kNowhere : found->second;
  }
  const auto found = std::find_if(groups->begin(), groups->end(), [&](const Membership& m) { return m.list == list; });
  return found == groups->end() ? kNowhere : static_cast<std::size_t>(found - groups->begin());
}

bool Directory::join(std::uint32_t client, std::string_view group) {
  if (place_of(client, groups_.find(group)) != kNowhere) return true;
  ClientRecord& record = clients_[client];
  if (record.groups != nullptr && record.groups->size() >= kMostGroups) return false;
  const std::uint32_t list = groups_.find_or_make(group);
  if (record.groups == nullptr) record.groups = std::make_unique<std::vector<Membership>>();
  std::vector<Membership>& memberships = *record.groups;
  const auto back = static_cast<std::uint32_t>(memberships.size());
  memberships.push_back({list, groups_.add(list, {client, back})});
  if (memberships.size() <= kLookedThrough) return true;
  const std::size_t known = back > kLookedThrough ? back : 0;
  for (std::size_t place = known; place < memberships.size(); ++place) {
    places_[key(client, memberships[place].list)] = static_cast<std::uint32_t>(place);
  }
  return true;
}

void Directory::leave(std::uint32_t client, std::string_view group) {
  const std::size_t place = place_of(client, groups_.find(group));
  if (place != kNowhere) leave_at(client, place);
}

void Directory::leave_at(std::uint32_t client, std::size_t place) {
  std::vector<Membership>& memberships = *clients_[client].groups;
  const Membership gone = memberships[place];
  const bool were_many = memberships.size() > kLookedThrough;
  if (were_many) places_.erase(key(client, gone.list));
  const MemberLists::Moved moved = groups_.remove(gone.list, gone.position);
  if (moved.any) (*clients_[moved.member.client].groups)[moved.member.back].position = gone.position;
  // The client's own list closes its gap the same way, and tells the group that membership's new place.
  if (place + 1 != memberships.size()) {
    memberships[place] = memberships.back();
    groups_.set_back(memberships[place].list, memberships[place].position, static_cast<std::uint32_t>(place));
    if (were_many) places_[key(client, memberships[place].list)] = static_cast<std::uint32_t>(place);
  }
  memberships.pop_back();
  if (were_many && memberships.size() == kLookedThrough) {
    for (const Membership& left : memberships) places_.erase(key(client, left.list));
  }
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
