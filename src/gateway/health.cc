#include "gateway/health.h"

namespace gatehouse::gateway {

bool is_health_request(const wire::HttpHead& head, std::string_view path) {
  if (path.empty() || (head.method != "GET" && head.method != "HEAD")) return false;
  return head.path() == path && !head.has_token("Upgrade", "websocket");
}

std::string health_answer(Health health, bool is_head) {
  std::string_view body = "ok\n";
  if (health == Health::no_workers) body = "no workers\n";
  if (health == Health::draining) body = "draining\n";
  std::string answer = health == Health::well ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 503 Service Unavailable\r\n";
  answer += "Connection: close\r\nCache-Control: no-store\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ";
  answer += std::to_string(body.size()) + "\r\n\r\n";
  // A HEAD is answered with the length that a GET would have (RFC 9110, 8.6).
  if (!is_head) answer += body;
  return answer;
}

}  // namespace gatehouse::gateway
