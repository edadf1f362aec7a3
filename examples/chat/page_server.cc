#include "page_server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string_view>
#include <thread>

#include "page_files.h"

namespace chat {
namespace {

const char* content_type(std::string_view path) {
  if (path.ends_with(".html")) return "text/html; charset=utf-8";
  if (path.ends_with(".css")) return "text/css; charset=utf-8";
  if (path.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (path.ends_with(".svg")) return "image/svg+xml";
  return "application/octet-stream";
}

// The library takes patterns (regular expressions); file names need only their dots quoted.
std::string pattern_of(std::string_view path) {
  std::string pattern = "/";
  for (const char c : path) {
    if (c == '.') pattern += '\\';
    pattern += c;
  }
  return pattern;
}

void add_headers(httplib::Server& server) {
  server.set_default_headers({
      // Only this page's own files run or style anything, whatever ends up in the page. The chat is on another port, and a page
      // does not know its own host's name in this header, hence ws: for any host.
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; "
       "form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cache-Control", "no-cache"},
  });
}

void add_answers(httplib::Server& server, int websocket_port) {
  for (const PageFile& file : page_files()) {
    const auto answer = [file](const httplib::Request&, httplib::Response& response) {
      response.set_content(file.bytes.data(), file.bytes.size(), content_type(file.path));
    };
    server.Get(pattern_of(file.path), answer);
    if (file.path == "index.html") server.Get("/", answer);
  }
  server.Get("/config\\.json", [websocket_port](const httplib::Request&, httplib::Response& response) {
    response.set_content("{\"websocket_port\":" + std::to_string(websocket_port) + "}\n", "application/json");
  });
  server.Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("ok\n", "text/plain; charset=utf-8");
  });
}

void add_limits(httplib::Server& server) {
  using namespace std::chrono_literals;
  server.set_payload_max_length(1024);
  server.set_read_timeout(5s);
  server.set_write_timeout(5s);
  // A connection that is kept alive keeps one of the few threads.
  server.set_keep_alive_timeout(2);
  // Not the library's default, SO_REUSEPORT, with which a second program could take half of the requests unnoticed.
  server.set_socket_options([](socket_t socket) {
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  });
}

/// Null, and a line on standard error, when the certificate cannot be used.
std::unique_ptr<httplib::Server> make_server(const PageServerOptions& options) {
  if (options.tls_cert.empty()) return std::make_unique<httplib::Server>();
  auto server = std::make_unique<httplib::SSLServer>(options.tls_cert.c_str(), options.tls_key.c_str());
  if (server->is_valid()) return server;
  std::fprintf(stderr, "The page cannot be served over https: %s and %s cannot be read, or do not belong together.\n",
               options.tls_cert.c_str(), options.tls_key.c_str());
  return nullptr;
}

}  // namespace

int serve_page(const PageServerOptions& options, const std::function<void(std::function<void()>)>& on_stop) {
  const auto made = make_server(options);
  if (made == nullptr) return 1;
  httplib::Server& server = *made;
  add_headers(server);
  add_answers(server, options.websocket_port);
  add_limits(server);
  if (!server.bind_to_port(options.host, options.port)) {
    std::fprintf(stderr, "The page cannot be served on %s:%d: the address is not free, or not this machine's.\n",
                 options.host.c_str(), options.port);
    return 1;
  }
  // stop() does nothing to a server that does not listen yet, so a stop this early waits for it.
  std::atomic<bool> ended = false;
  on_stop([&server, &ended] {
    while (!server.is_running() && !ended) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    server.stop();
  });
  const bool served = server.listen_after_bind();
  ended = true;
  return served ? 0 : 1;
}

}  // namespace chat
