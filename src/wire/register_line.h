#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::wire {

/// One line of the register's protocol, without its "\n". Which fields are set depends on the event.
struct RegisterLine {
  enum class Event {
    invalid,  // not a JSON object, or without a string "event"
    unknown,  // an event of some other name
    gateway_connect,
    worker_connect,
    ping,
    broadcast_addresses,
    address_taken,  // ours: register to gateways, which those of PHP pass over as they do everything
  };
  Event event = Event::invalid;
  std::string address;                 // gateway_connect, address_taken
  std::string other;                   // address_taken: who else announces it, "IP:PORT" of its connection
  bool is_kept = false;                // address_taken: to whom it is told stays, and the other one was refused
  std::string secret_key;              // gateway_connect, worker_connect
  std::vector<std::string> addresses;  // broadcast_addresses
};

/// Reads a line. Missing fields are left empty; fields of a wrong type make it invalid. JSON nested deeper than 16 is invalid.
RegisterLine parse_register_line(std::string_view line);

// The lines, each with its "\n", exactly as upstream writes them where it has them (json_encode: "/" as "\/", non-ASCII as
// \uXXXX).
std::string gateway_connect_line(std::string_view address, std::string_view secret_key);
std::string worker_connect_line(std::string_view secret_key);
std::string ping_line();
std::string broadcast_addresses_line(const std::vector<std::string>& addresses);
/// {"event":"address_taken","address":"10.0.0.1:2300","by":"10.0.0.2:51234","kept":false}
std::string address_taken_line(std::string_view address, std::string_view other, bool is_kept);

}  // namespace gatehouse::wire
