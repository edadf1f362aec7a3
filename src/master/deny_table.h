#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "net/address_range.h"
#include "net/loop.h"

namespace gatehouse::master {

/// The addresses that an operator has denied, and until when: what the gateway processes are told, those that are started later
/// with what is left of the time. It lives as long as the master.
///
/// Thread rule: the loop's thread.
class DenyTable {
 public:
  static constexpr std::size_t kMostRanges = 10'000;

  /// `on_over` is told of a range whose time is over.
  DenyTable(net::Loop& loop, std::function<void(const net::AddressRange& range)> on_over);
  ~DenyTable();
  DenyTable(const DenyTable&) = delete;
  DenyTable& operator=(const DenyTable&) = delete;

  /// For `time`, or for good; one that is there gets the new time. False when there are kMostRanges.
  bool add(const net::AddressRange& range, std::optional<std::chrono::milliseconds> time);
  /// False when exactly this range is not there.
  bool remove(const net::AddressRange& range);
  /// The narrowest range that has all of `range` in it, if any.
  [[nodiscard]] std::optional<net::AddressRange> covering(const net::AddressRange& range) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  /// [{"range":"1.2.3.0/24","seconds_left":3540}], in the order in which they were denied; null for good.
  [[nodiscard]] nlohmann::ordered_json list() const;
  /// All of it as {"ask":"deny","ranges":[["1.2.3.0/24",3540000]]}, in messages that fit into a line; milliseconds, null for
  /// good.
  [[nodiscard]] std::vector<nlohmann::ordered_json> messages() const;
  /// The part of such a message behind "ask", for one range.
  static nlohmann::ordered_json message(const net::AddressRange& range, std::optional<std::chrono::milliseconds> time);

 private:
  struct Entry {
    net::AddressRange range;
    std::optional<std::uint64_t> until_ms;
  };
  [[nodiscard]] std::optional<std::chrono::milliseconds> left(const Entry& entry) const;
  void wait_for_next();
  void drop_expired();

  net::Loop& loop_;
  std::function<void(const net::AddressRange&)> on_over_;
  std::vector<Entry> entries_;
  net::TimerId timer_;
};

}  // namespace gatehouse::master
