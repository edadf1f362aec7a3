#include "gateway/member_lists.h"

#include <algorithm>
#include <functional>

namespace gatehouse::gateway {

MemberLists::~MemberLists() {
  for (List& list : lists_) {
    if (list.capacity > 1) delete[] list.many;
  }
}

std::size_t MemberLists::hash(std::string_view name) {
  // libstdc++'s is murmur with a fixed seed. A flood of colliding names costs whoever may name groups: the business, not clients.
  return std::hash<std::string_view>{}(name);
}

std::uint32_t MemberLists::find(std::string_view name) const {
  if (index_.empty()) return kNone;
  const std::size_t mask = index_.size() - 1;
  for (std::size_t at = hash(name) & mask; index_[at] != 0; at = (at + 1) & mask) {
    if (lists_[index_[at] - 1].name.view() == name) return index_[at] - 1;
  }
  return kNone;
}

std::uint32_t MemberLists::find_or_make(std::string_view name) {
  const std::uint32_t found = find(name);
  if (found != kNone) return found;
  if ((size_ + 1) * 2 > index_.size()) grow_index();
  std::uint32_t list = 0;
  if (free_.empty()) {
    list = static_cast<std::uint32_t>(lists_.size());
    lists_.emplace_back();
  } else {
    list = free_.back();
    free_.pop_back();
  }
  lists_[list].name = Blob(name);
  const std::size_t mask = index_.size() - 1;
  std::size_t at = hash(name) & mask;
  while (index_[at] != 0) at = (at + 1) & mask;
  index_[at] = list + 1;
  ++size_;
  return list;
}

std::span<const Member> MemberLists::members(std::uint32_t list) const { return {slots(lists_[list]), lists_[list].size}; }

std::uint32_t MemberLists::add(std::uint32_t list, Member member) {
  List& entry = lists_[list];
  if (entry.size == entry.capacity) reserve(entry, std::max<std::uint32_t>(4, entry.capacity + entry.capacity / 2));
  slots(entry)[entry.size] = member;
  return entry.size++;
}

MemberLists::Moved MemberLists::remove(std::uint32_t list, std::uint32_t position) {
  List& entry = lists_[list];
  Member* members = slots(entry);
  Moved moved;
  --entry.size;
  if (position != entry.size) {
    members[position] = members[entry.size];
    moved = {true, members[position]};
  }
  if (entry.size == 0) {
    erase_from_index(list);
    if (entry.capacity > 1) delete[] entry.many;
    entry.capacity = 1;
    entry.one = {};
    entry.name = Blob();
    free_.push_back(list);
    --size_;
  } else if (entry.capacity > 16 && entry.size < entry.capacity / 4) {
    reserve(entry, entry.capacity / 2);  // back to a fitting size after a burst
  }
  return moved;
}

void MemberLists::reserve(List& list, std::uint32_t capacity) {
  auto* grown = new Member[capacity];
  std::copy_n(slots(list), list.size, grown);
  if (list.capacity > 1) delete[] list.many;
  list.many = grown;
  list.capacity = capacity;
}

void MemberLists::grow_index() {
  index_.assign(std::max<std::size_t>(64, index_.size() * 2), 0);
  const std::size_t mask = index_.size() - 1;
  for (std::uint32_t list = 0; list < lists_.size(); ++list) {
    if (lists_[list].size == 0) continue;
    std::size_t at = hash(lists_[list].name.view()) & mask;
    while (index_[at] != 0) at = (at + 1) & mask;
    index_[at] = list + 1;
  }
}

void MemberLists::erase_from_index(std::uint32_t list) {
  const std::size_t mask = index_.size() - 1;
  std::size_t hole = hash(lists_[list].name.view()) & mask;
  while (index_[hole] != list + 1) hole = (hole + 1) & mask;
  for (std::size_t next = (hole + 1) & mask; index_[next] != 0; next = (next + 1) & mask) {
    const std::size_t home = hash(lists_[index_[next] - 1].name.view()) & mask;
    if (((next - home) & mask) >= ((next - hole) & mask)) {
      index_[hole] = index_[next];
      hole = next;
    }
  }
  index_[hole] = 0;
}

}  // namespace gatehouse::gateway
