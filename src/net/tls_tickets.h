#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::net {

/// The keys of session tickets (RFC 5077; RFC 8446, 4.6.1), with which a client that comes back need not shake hands in full. All
/// processes of a gateway must have the same ones, so they are made from one random seed, which the master draws and tells its
/// children; it is never written anywhere.
///
/// They change every kPeriodS seconds, each seed being a one-way function of the one before, which is forgotten: whoever gets
/// hold of a process's memory later cannot read older tickets. Tickets of the period before are still taken, and replaced.
class TlsTickets {
 public:
  static constexpr std::uint64_t kPeriodS = 8 * 3600;
  static constexpr std::size_t kSeedSize = 32;
  using Seed = std::array<std::uint8_t, kSeedSize>;
  struct Keys {
    std::array<std::uint8_t, 16> name{};
    std::array<std::uint8_t, 32> cipher{};
    std::array<std::uint8_t, 32> mac{};

    Keys() = default;
    Keys(const Keys&) = default;
    Keys& operator=(const Keys&) = default;
    /// Wipes them.
    ~Keys();
  };

  /// The time that is meant below, in seconds: of a clock that all processes of the machine have in common and that nobody sets.
  static std::uint64_t now_s();

  /// `since_s` is the time for which the seed was drawn.
  TlsTickets(const Seed& seed, std::uint64_t since_s);
  TlsTickets(const TlsTickets&) = delete;
  TlsTickets& operator=(const TlsTickets&) = delete;
  ~TlsTickets();

  /// For new tickets at `now_s`.
  const Keys& current(std::uint64_t now_s);
  /// Those of that name: the current ones, or those of the period before.
  const Keys* find(const std::uint8_t* name, std::uint64_t now_s);

  /// A new seed and the time, as text for a variable of the environment.
  static std::string draw(std::uint64_t now_s);
  /// From that text; nothing when it is none.
  struct Origin {
    Seed seed{};
    std::uint64_t since_s = 0;

    Origin() = default;
    Origin(const Origin&) = default;
    Origin& operator=(const Origin&) = default;
    ~Origin();
  };
  static std::optional<Origin> parse(std::string_view text);

 private:
  void advance(std::uint64_t period);
  [[nodiscard]] Keys derive() const;

  Seed seed_;
  std::uint64_t period_;
  Keys current_;
  std::optional<Keys> previous_;
};

}  // namespace gatehouse::net
