#pragma once

#include <gatehouse/options.h>

#include "net/address_set.h"
#include "net/endpoint.h"
#include "wire/http_head.h"

namespace gatehouse::gateway {

/// The proxies in front of a gateway, and what is believed of whom they speak for. Everybody else speaks for himself.
class Proxies {
 public:
  struct Settings {
    bool proxy_protocol = false;
    RealIpHeader header = RealIpHeader::none;
    net::AddressSet trusted = {};
  };
  explicit Proxies(Settings settings) : settings_(std::move(settings)) {}

  /// For connections and requests from now on.
  void change(Settings settings) { settings_ = std::move(settings); }

  /// Whether a connection of `peer` begins with a PROXY header.
  [[nodiscard]] bool send_header(const net::Address& peer) const {
    return settings_.proxy_protocol && settings_.trusted.contains(peer);
  }
  /// Whether a request of `peer` says who the client is.
  [[nodiscard]] bool send_field(const net::Address& peer) const {
    return settings_.header != RealIpHeader::none && settings_.trusted.contains(peer);
  }
  /// Whether it speaks for somebody else.
  [[nodiscard]] bool trusts(const net::Address& peer) const { return send_header(peer) || send_field(peer); }
  /// Who that is. What says nothing of use leaves it at `peer`. REQUIRES: send_field(peer).
  [[nodiscard]] net::Address client_of(const wire::HttpHead& head, const net::Address& peer) const;

 private:
  Settings settings_;
};

}  // namespace gatehouse::gateway
