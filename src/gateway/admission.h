#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "gateway/limit_log.h"
#include "net/address_set.h"
#include "net/endpoint.h"

namespace gatehouse::gateway {

/// Who may connect to a gateway process: so many in all, of one address, in a second, and as long as there is memory.
class Admission {
 public:
  struct Settings {
    std::uint32_t connections = 0;  // 0, here and below: no limit
    std::uint32_t per_address = 0;
    std::uint32_t ipv6_prefix_bits = 64;  // what counts as one address of IPv6: a customer has a /64 at the least
    std::uint32_t new_per_s = 0;
    net::AddressSet proxies = {};  // whose own addresses stand for nobody in particular: per_address is not for them
    std::size_t memory_bytes = 0;
    std::function<std::size_t()> memory_in_use = {};  // bytes
    /// Bytes that those who are in may still take before it is known who they are: asked for with every new client, since many
    /// may come, and all of them say their share of it, between two looks at what is in use. Empty: none.
    std::function<std::size_t()> memory_promised = {};
  };
  explicit Admission(Settings settings) : settings_(std::move(settings)) {}

  /// The limit that is in the way of a new client; without one it counts from now on, until leave().
  std::optional<Limit> enter(const net::Address& address, std::uint64_t now_ms);
  /// Who entered from `old` is at `address` in truth. When the limit of that one is in the way, it does not count any more.
  std::optional<Limit> move(const net::Address& old, const net::Address& address);
  void leave(const net::Address& address);
  /// Other limits from now on. `admitted` are the addresses of all that have entered and not left: what counts as one address may
  /// be another thing now.
  void change(Settings settings, const std::vector<net::Address>& admitted);
  /// Looks at the memory anew. Called about once a second.
  void measure();
  /// What a new client counts for until then, beside what it is promised: its connection, its record, its places in tables.
  static constexpr std::size_t kNewClientBytes = 1024;

  /// Nobody at all is let in, whoever it is.
  [[nodiscard]] bool is_full() { return (settings_.connections != 0 && size_ >= settings_.connections) || is_short_of_memory(); }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  /// Addresses that are remembered: those that have a client now, when they are counted at all.
  [[nodiscard]] std::size_t addresses() const { return by_address_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const IpBytes& key) const;
  };
  [[nodiscard]] IpBytes key_of(const net::Address& address) const;
  [[nodiscard]] bool counts(const net::Address& address) const {
    return settings_.per_address != 0 && !settings_.proxies.contains(address);
  }
  bool enter_address(const net::Address& address);
  void leave_address(const net::Address& address);
  bool take_token(std::uint64_t now_ms);
  bool is_short_of_memory();

  Settings settings_;
  std::uint32_t size_ = 0;
  std::unordered_map<IpBytes, std::uint32_t, Hash> by_address_;
  std::uint64_t tokens_milli_ = 0;  // thousandths of a connection that may come now
  std::uint64_t tokens_at_ms_ = 0;
  bool tokens_begun_ = false;
  std::size_t in_use_ = 0;         // bytes, when that was last looked at,
  std::size_t entered_since_ = 0;  // and clients that have come since then
  bool is_measured_ = false;
};

/// Bytes of heap that this process uses.
std::size_t heap_in_use();

}  // namespace gatehouse::gateway
