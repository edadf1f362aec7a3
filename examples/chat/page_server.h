#pragma once

#include <functional>
#include <string>

namespace chat {

struct PageServerOptions {
  std::string host = "127.0.0.1";
  int port = 8080;
  /// Where the page finds the chat, on the host that it was loaded from.
  int websocket_port = 7272;
  /// Files in PEM form; empty for plain HTTP. They are read when it starts.
  std::string tls_cert = {};
  std::string tls_key = {};
};

/// Serves the page's files, /config.json and /healthz over HTTP or HTTPS until it is told to stop; gives the process's exit
/// status. `on_stop` takes what is to be called for that, from any thread.
int serve_page(const PageServerOptions& options, const std::function<void(std::function<void()>)>& on_stop);

}  // namespace chat
