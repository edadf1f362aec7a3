#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gatehouse::gateway {

/// How much each client may still say: two buckets of one second's worth, filled evenly. Without limits it takes no memory.
class ClientRates {
 public:
  struct Settings {
    std::uint32_t messages_per_s = 0;  // 0, here and below: no limit
    std::uint64_t bytes_per_s = 0;
  };
  explicit ClientRates(Settings settings) : settings_(settings) {}

  [[nodiscard]] bool is_limited() const { return settings_.messages_per_s != 0 || settings_.bytes_per_s != 0; }
  [[nodiscard]] bool limits_messages() const { return settings_.messages_per_s != 0; }

  /// Other limits from now on, for clients at `places` places of the table.
  void change(Settings settings, std::size_t places, std::uint64_t now_ms);
  /// A new client has this place in the table.
  void begin(std::uint32_t client, std::uint64_t now_ms);
  /// Milliseconds until it may say something more; 0: at once.
  [[nodiscard]] std::uint64_t wait_ms(std::uint32_t client, std::uint64_t now_ms);
  /// It has said that much; false when that was more than it had.
  bool spend(std::uint32_t client, std::uint32_t messages, std::size_t bytes, std::uint64_t now_ms);
  /// Whether it was the messages that were too many, rather than the bytes.
  [[nodiscard]] bool is_short_of_messages(std::uint32_t client) const;

 private:
  /// In thousandths, so that a millisecond fills what a second does, divided by 1000.
  struct Bucket {
    std::int64_t messages_milli = 0;
    std::int64_t bytes_milli = 0;
    std::uint64_t at_ms = 0;
  };
  [[nodiscard]] Bucket full(std::uint64_t now_ms) const;
  Bucket& fill(std::uint32_t client, std::uint64_t now_ms);

  Settings settings_;
  std::vector<Bucket> buckets_;  // by place in the client table
};

}  // namespace gatehouse::gateway
