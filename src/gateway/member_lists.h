#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/blob.h"

namespace gatehouse::gateway {

/// One client in a list; `back` is for the list's user: where the client itself notes this membership.
struct Member {
  std::uint32_t client = 0;
  std::uint32_t back = 0;
};

/// Named lists of clients: the groups of a gateway, or its uids. A list exists while it has a member. Adding and removing take
/// constant time; a list is walked in a straight line.
///
/// Every membership is known on both sides: the list holds {client, back}, the client holds {list, position}. Whoever is moved by
/// a removal is reported, so that its side can be put right.
class MemberLists {
 public:
  MemberLists() = default;
  MemberLists(const MemberLists&) = delete;
  MemberLists& operator=(const MemberLists&) = delete;
  ~MemberLists();

  static constexpr std::uint32_t kNone = 0xffffffffU;
  [[nodiscard]] std::uint32_t find(std::string_view name) const;
  /// The list of that name, made if need be. An empty list must be given a member before anything else is called.
  std::uint32_t find_or_make(std::string_view name);

  [[nodiscard]] std::string_view name(std::uint32_t list) const { return lists_[list].name.view(); }
  [[nodiscard]] std::span<const Member> members(std::uint32_t list) const;

  /// Appends; returns the position.
  std::uint32_t add(std::uint32_t list, Member member);
  void set_back(std::uint32_t list, std::uint32_t position, std::uint32_t back) { slots(lists_[list])[position].back = back; }

  struct Moved {
    bool any = false;
    Member member;  // now stands at the position that was freed
  };
  /// Removes what stands at `position`; the last member takes its place. The list goes with its last member.
  Moved remove(std::uint32_t list, std::uint32_t position);

  [[nodiscard]] std::size_t size() const { return size_; }
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::uint32_t list = 0; list < lists_.size(); ++list) {
      if (lists_[list].size > 0) visit(list);
    }
  }

 private:
  struct List {
    Blob name;
    std::uint32_t size = 0;
    std::uint32_t capacity = 1;  // 1: the member stands here, without memory of its own
    union {
      Member one = {};
      Member* many;
    };
  };
  [[nodiscard]] static Member* slots(List& list) { return list.capacity == 1 ? &list.one : list.many; }
  [[nodiscard]] static const Member* slots(const List& list) { return list.capacity == 1 ? &list.one : list.many; }
  static void reserve(List& list, std::uint32_t capacity);
  static std::size_t hash(std::string_view name);

  void grow_index();
  void erase_from_index(std::uint32_t list);

  std::vector<List> lists_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> index_;  // open addressing: list + 1, 0 for empty
  std::size_t size_ = 0;
};

}  // namespace gatehouse::gateway
