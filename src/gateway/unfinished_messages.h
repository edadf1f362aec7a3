#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "gateway/client_table.h"
#include "wire/websocket_frame.h"

namespace gatehouse::gateway {

/// What clients have said of messages that are not whole yet: frames and records that are cut, fragments without their end, heads
/// of requests. It takes memory for strangers, so it is bounded in bytes and in time, in a way that cannot be turned against
/// those who mean well:
///
/// - kShare of each client counts for nothing, so that however much others hold, a short message in two pieces is taken.
/// - When what is held beyond that is more than Settings::most_bytes, those go who hold much and have stalled for long. Who adds
///   to it in that moment is one among them.
/// - A message has Settings::timeout_ms from its first byte, and anew with every kProgress of it that comes.
///
/// A client of whom nothing is left unfinished costs four bytes of its record, and nothing here.
class UnfinishedMessages {
 public:
  struct Settings {
    std::size_t most_bytes = 64 * 1024 * 1024;  // of all clients, beyond each one's share
    std::uint64_t timeout_ms = 60'000;          // 0: no limit
  };
  static constexpr std::size_t kShare = 16 * 1024;     // bytes
  static constexpr std::size_t kProgress = 16 * 1024;  // bytes

  UnfinishedMessages(ClientTable& table, wire::WebSocketReader& websockets, Settings settings)
      : table_(table), websockets_(websockets), settings_(settings) {}

  /// Of what is kept already, too, from the next time on that something is noted or asked.
  void change(Settings settings) { settings_ = settings; }

  /// So many bytes are kept of the client, besides fragments in its WebSocketState, until it says more. `is_new`: they begin a
  /// message, where those that were noted before belonged to another.
  void note(std::uint32_t client, std::size_t bytes, bool is_new, std::uint64_t now_ms);
  /// Nothing is kept of the client any more, also no fragments. REQUIRES: called for every client that goes.
  void forget(std::uint32_t client);
  /// The client has not been read from, for no fault of its own: its time starts anew.
  void excuse(std::uint32_t client, std::uint64_t now_ms);

  [[nodiscard]] bool is_over() const { return counted_bytes_ > settings_.most_bytes; }
  /// Those who have to go so that there is room again, and a little more, since to look for them takes time in proportion to all
  /// who hold something: the product of bytes beyond the share and time without progress decides. One of whom `is_excused` holds
  /// has not stalled.
  [[nodiscard]] std::vector<std::uint32_t> heaviest(std::uint64_t now_ms,
                                                    const std::function<bool(std::uint32_t client)>& is_excused) const;
  /// Those whose time is over.
  [[nodiscard]] std::vector<std::uint32_t> late(std::uint64_t now_ms) const;

  /// Clients of whom something is kept.
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  /// Bytes that are kept of them all.
  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }
  /// What of that is beyond the shares.
  [[nodiscard]] std::size_t counted_bytes() const { return counted_bytes_; }

 private:
  struct Entry {
    std::uint32_t client;
    std::uint32_t held;      // bytes
    std::uint32_t marked;    // bytes that were held at the last step of kProgress
    std::uint64_t since_ms;  // when that was, or its first byte came
  };
  static constexpr std::size_t beyond_share(std::size_t bytes) { return bytes > kShare ? bytes - kShare : 0; }
  void set_held(Entry& entry, std::size_t bytes);
  void remove(std::uint32_t client);

  ClientTable& table_;
  wire::WebSocketReader& websockets_;
  Settings settings_;
  std::vector<Entry> entries_;  // by WebSocketState::place - 1
  std::size_t held_bytes_ = 0;
  std::size_t counted_bytes_ = 0;
};

}  // namespace gatehouse::gateway
