#include "master/child_control.h"

#include "master/connection_pages.h"
#include "master/role_status_json.h"

namespace gatehouse::master {

ChildControl::ChildControl(net::Loop& loop, int control_fd, std::function<RoleStatus()> status,
                           std::function<void()> on_master_lost)
    : loop_(loop),
      lines_([this](net::Connection& connection, const nlohmann::json& message) { on_message(connection, message); },
             [lost = std::move(on_master_lost)](net::Connection&) { lost(); }),
      connection_(loop.adopt(net::Socket(control_fd), lines_)) {
  answer("status", [status = std::move(status)](const nlohmann::json& /*message*/) { return to_json(status()); });
  answer("connections", [this](const nlohmann::json& message) { return connection_page(loop_, message); });
}

void ChildControl::announce_ready() { JsonLines::send(loop_.find(connection_), {{"ready", true}}); }

void ChildControl::announce_serving() { JsonLines::send(loop_.find(connection_), {{"serving", true}}); }

void ChildControl::announce_failure(const std::string& why) {
  net::Connection* connection = loop_.find(connection_);
  JsonLines::send(connection, {{"failed", why.substr(0, JsonLines::kMaxLineSize / 16)}});
  if (connection != nullptr) connection->flush();  // the process ends next
}

void ChildControl::on_message(net::Connection& connection, const nlohmann::json& message) {
  if (message.contains("serve") && serve_) return serve_();
  const auto id = message.find("id");
  nlohmann::ordered_json answer = nullptr;
  const auto ask = message.find("ask");
  if (ask == message.end() || !ask->is_string()) return;
  const auto answerer = answerers_.find(ask->get<std::string>());
  if (answerer != answerers_.end()) answer = answerer->second(message);
  if (id != message.end()) JsonLines::send(&connection, {{"id", id->get<std::uint64_t>()}, {"answer", answer}});
}

}  // namespace gatehouse::master
