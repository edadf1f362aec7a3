#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "link/name_lookup.h"
#include "link/outage.h"
#include "net/loop.h"

namespace gatehouse::link {

/// A role's connections to the register, or to each of several registers: dialled, announced, kept alive and dialled again
/// 1 s after a loss, for ever. (docs/wire-protocol.md, "Register".)
class RegisterLinks {
 public:
  struct Settings {
    /// "127.0.0.1:1236"; names are looked up at start, and again at later dials, and dialled at all their addresses (NameLookup).
    std::vector<std::string> addresses;
    std::string secret_key;
    /// A gateway's inner address "IP:PORT"; empty for a worker or a GatewayClient.
    std::string announce;
    int reconnect_ms = 1000;
    int ping_ms = 25'000;  // sent when the register is not on loopback
    int settled_ms = Outage::kSettledMs;
    /// Null: not encrypted. Must outlive the links.
    net::TlsContext* tls = nullptr;
    NameLookup::Resolve resolve = &NameLookup::resolve;
  };
  /// The union of what all registers said last. Called for the first list, even an empty one, and at every change; a lost
  /// register's list is kept until it is back, for losing the register must not cost a gateway.
  using OnAddresses = std::function<void(const std::vector<std::string>& addresses)>;

  RegisterLinks(net::Loop& loop, Settings settings, OnAddresses on_addresses);
  RegisterLinks(const RegisterLinks&) = delete;
  RegisterLinks& operator=(const RegisterLinks&) = delete;
  ~RegisterLinks();

  /// Shown to registers that are dialled from now on; connections that are there stay.
  void set_secret_key(std::string secret_key) { settings_.secret_key = std::move(secret_key); }

  void start();
  /// Closes all and dials no more.
  void stop();
  [[nodiscard]] std::size_t connected() const;
  /// Why no list has come yet, register by register; for an error message.
  [[nodiscard]] std::string problem() const;

 private:
  class Line;
  void update();

  net::Loop& loop_;
  Settings settings_;
  OnAddresses on_addresses_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::vector<std::string> last_;
  bool told_ = false;  // the first list is told even when it is empty
};

}  // namespace gatehouse::link
