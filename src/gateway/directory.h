#pragma once

#include <string_view>

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

  /// Joining twice is joining once.
  void join(std::uint32_t client, std::string_view group);
  void leave(std::uint32_t client, std::string_view group);
  /// All members leave.
  void ungroup(std::string_view group);
  /// Leaves all groups and its uid.
  void forget(std::uint32_t client);

  [[nodiscard]] const MemberLists& groups() const { return groups_; }
  [[nodiscard]] const MemberLists& uids() const { return uids_; }

 private:
  void leave_at(std::uint32_t client, std::size_t place);

  ClientTable& clients_;
  MemberLists groups_;
  MemberLists uids_;
};

}  // namespace gatehouse::gateway
