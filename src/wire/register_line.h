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
  };
  Event event = Event::invalid;
  std::string address;                 // gateway_connect
  std::string secret_key;              // gateway_connect, worker_connect
  std::vector<std::string> addresses;  // broadcast_addresses
};

/// Reads a line. Missing fields are left empty; fields of a wrong type make it invalid. JSON nested deeper than 16 is invalid.
RegisterLine parse_register_line(std::string_view line);

// The lines, each with its "\n", exactly as upstream writes them (json_encode: "/" as "\/", non-ASCII as \uXXXX).
std::string gateway_connect_line(std::string_view address, std::string_view secret_key);
std::string worker_connect_line(std::string_view secret_key);
std::string ping_line();
std::string broadcast_addresses_line(const std::vector<std::string>& addresses);

}  // namespace gatehouse::wire
