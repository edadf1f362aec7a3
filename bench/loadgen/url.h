#pragma once

#include <netinet/in.h>

#include <string>

namespace loadgen {

/// Where the server is: ws://127.0.0.1:PORT/path, or text://127.0.0.1:PORT for messages that end with a newline.
struct Url {
  bool is_websocket = true;
  sockaddr_in address{};
  std::string host;  ///< with the port, as the handshake's Host has it
  std::string path = "/";
};

/// Throws UsageError, also for every target outside 127.0.0.0/8: a load generator must not be pointed at other people.
Url parse_url(const std::string& text);

}  // namespace loadgen
