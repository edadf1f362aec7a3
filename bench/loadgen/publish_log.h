#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace loadgen {

/// What became of the publications under way, by sequence number: the publisher opens one, the subscribers of all workers note
/// their deliveries in it, the publisher takes the result.
class PublishLog {
 public:
  /// So many may be under way; the memory is all taken at once (1.5 MiB).
  static constexpr std::uint64_t kCapacity = 1 << 16;

  struct Result {
    std::uint64_t due_ns;
    std::uint64_t last_delivery_ns;
  };

  /// `in_use` is false in the modes without a publisher, which need no memory for it.
  explicit PublishLog(bool in_use) : slots_(in_use ? std::make_unique<Slot[]>(kCapacity) : nullptr) {}

  /// The subscribers that are there when the load starts; each is to get every publication.
  void set_members(std::uint64_t members) { members_ = members; }
  [[nodiscard]] std::uint64_t members() const { return members_; }

  /// By the publisher, before it sends. Sequence numbers go up from 0 without a gap.
  void open(std::uint64_t sequence, std::uint64_t due_ns) {
    Slot& slot = slots_[sequence % kCapacity];
    slot.deliveries = 0;
    slot.last_delivery_ns = 0;
    slot.due_ns = due_ns;
    published_ = sequence + 1;
  }

  /// By the subscribers. True when this was the last delivery that was missing.
  bool deliver(std::uint64_t sequence, std::uint64_t time_ns) {
    Slot& slot = slots_[sequence % kCapacity];
    std::uint64_t last = slot.last_delivery_ns.load(std::memory_order_relaxed);
    while (time_ns > last && !slot.last_delivery_ns.compare_exchange_weak(last, time_ns, std::memory_order_relaxed)) {
    }
    if (slot.deliveries.fetch_add(1) + 1 != members_) return false;
    completed_++;
    return true;
  }

  /// By the publisher.
  [[nodiscard]] bool is_complete(std::uint64_t sequence) const { return slots_[sequence % kCapacity].deliveries >= members_; }
  [[nodiscard]] Result result(std::uint64_t sequence) const {
    const Slot& slot = slots_[sequence % kCapacity];
    return {slot.due_ns, slot.last_delivery_ns};
  }

  [[nodiscard]] std::uint64_t published() const { return published_; }
  /// How many publications all members have.
  [[nodiscard]] std::uint64_t completed() const { return completed_; }

 private:
  struct Slot {
    std::atomic<std::uint32_t> deliveries{0};
    std::atomic<std::uint64_t> last_delivery_ns{0};
    std::uint64_t due_ns = 0;
  };

  std::unique_ptr<Slot[]> slots_;
  std::atomic<std::uint64_t> members_{0};
  std::atomic<std::uint64_t> published_{0};
  std::atomic<std::uint64_t> completed_{0};
};

}  // namespace loadgen
