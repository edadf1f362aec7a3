#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "gateway/client_table.h"
#include "gateway/member_lists.h"

namespace gatehouse::gateway {

/// Who is who: the uids and groups of a gateway's clients, kept in step with their records.
class Directory {
 public:
  explicit Directory(ClientTable& clients) : clients_(clients) {}

  /// A client has one uid; binding another moves it.
  void bind_uid(std::uint32_t client, std::string_view uid);
  void unbind_uid(std::uint32_t client);
  /// "" when it has none.
  [[nodiscard]] std::string_view uid_of(const ClientRecord& record) const {
    return record.uid == ClientRecord::kNoUid ? std::string_view() : uids_.name(record.uid);
  }

  /// The most groups of one client.
  static constexpr std::size_t kMostGroups = 65'536;

  /// Joining twice is joining once. False when the client is in as many groups as it may be: it is not in this one.
  bool join(std::uint32_t client, std::string_view group);
  void leave(std::uint32_t client, std::string_view group);
  /// All members leave.
  void ungroup(std::string_view group);
  /// Leaves all groups and its uid.
  void forget(std::uint32_t client);

  [[nodiscard]] const MemberLists& groups() const { return groups_; }
  [[nodiscard]] const MemberLists& uids() const { return uids_; }

 private:
  /// A client's few groups are looked through; where there are more, their places are known here.
  static constexpr std::size_t kLookedThrough = 64;
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  static std::uint64_t key(std::uint32_t client, std::uint32_t list) { return std::uint64_t{client} << 32U | list; }
  /// Where among the client's memberships this one is, or kNowhere.
  [[nodiscard]] std::size_t place_of(std::uint32_t client, std::uint32_t list) const;
  void leave_at(std::uint32_t client, std::size_t place);

  ClientTable& clients_;
  MemberLists groups_;
  MemberLists uids_;
  std::unordered_map<std::uint64_t, std::uint32_t> places_;  // by key(), of clients with more than kLookedThrough groups
};

}  // namespace gatehouse::gateway
