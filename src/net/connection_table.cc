#include "net/connection_table.h"

namespace gatehouse::net {

Connection& ConnectionTable::add() {
  if (free_ == kNone) {
    const std::uint32_t first = capacity();
    chunks_.push_back(std::make_unique<Connection[]>(kChunk));
    // Linked so that the lowest slot is taken first: live connections stay close together.
    for (std::uint32_t i = kChunk; i-- > 0;) {
      Connection& connection = chunks_.back()[i];
      connection.slot_ = first + i;
      connection.tag = free_;
      free_ = first + i;
    }
  }
  Connection& connection = at(free_);
  free_ = connection.tag;
  connection.tag = 0;
  ++size_;
  return connection;
}

void ConnectionTable::remove(Connection& connection) {
  const std::uint32_t slot = connection.slot_;
  std::uint32_t generation = connection.generation_ + 1;
  if (generation == 0) generation = 1;  // 0 names nothing
  connection = Connection{};
  connection.slot_ = slot;
  connection.generation_ = generation;
  connection.tag = free_;
  free_ = slot;
  --size_;
}

}  // namespace gatehouse::net
