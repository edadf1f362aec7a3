#include "master/json_lines.h"

#include <string_view>

namespace gatehouse::master {

void JsonLines::send(net::Connection* connection, const nlohmann::ordered_json& message) {
  if (connection == nullptr) return;
  // Names and exit reasons may hold bytes that are not UTF-8; the line must go out all the same.
  connection->send(message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::size_t JsonLines::on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) {
  const std::string_view all(bytes.data(), bytes.size());
  std::size_t done = 0;
  std::size_t end = all.find('\n', seen);
  while (end != std::string_view::npos) {
    const auto message = nlohmann::json::parse(all.substr(done, end - done), nullptr, false);
    if (!message.is_object()) {
      connection.destroy();
      return all.size();
    }
    on_message_(connection, message);
    if (!connection.is_open()) return all.size();
    done = end + 1;
    end = all.find('\n', done);
  }
  if (all.size() - done > kMaxLineSize) {
    connection.destroy();
    return all.size();
  }
  return done;
}

void JsonLines::on_close(net::Connection& connection, net::CloseCause /*cause*/, int /*error*/) { on_end_(connection); }

}  // namespace gatehouse::master
