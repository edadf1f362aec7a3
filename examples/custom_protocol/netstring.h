#pragma once

#include <gatehouse/protocol.h>

#include <cstddef>
#include <string>
#include <string_view>

/// Netstrings (https://cr.yp.to/proto/netstrings.txt): the length in decimal digits, a colon, the message, a comma.
///
///     5:hello,     0:,     12:hello, world,
///
/// The bytes of a message may be anything, line feeds and commas too, and its length is known before it has come.
class Netstring : public gatehouse::Protocol {
 public:
  /// Enough for any length below 1 GB; what is really allowed is the gateway's max_package_size.
  static constexpr std::size_t kMaxDigits = 9;

  [[nodiscard]] gatehouse::Input input(std::string_view buffer, std::size_t seen) const override;
  [[nodiscard]] std::string_view decode(std::string_view frame) const override;
  void encode(std::string_view message, std::string& out) const override;
};
