#include <gatehouse/client.h>

#include <stdexcept>
#include <string>

#include "wire/http_head.h"
#include "worker/client_context.h"

namespace gatehouse {

const std::string& Client::id() const { return context_.id(); }

Value& Client::session() { return context_.session(); }

std::string Client::remote_address() const { return context_.remote().ip(); }

std::uint16_t Client::remote_port() const { return context_.header().client_port; }

std::string Client::gateway_address() const { return net::Address::from_ipv4(context_.header().local_ip, 0).ip(); }

std::uint16_t Client::gateway_port() const { return context_.header().gateway_port; }

void Client::send(Data data) { context_.calls().send(context_.client_id(), data); }

void Client::close(std::optional<Data> last_words) { context_.calls().close(context_.client_id(), last_words); }

void Client::destroy() { context_.calls().destroy(context_.client_id()); }

void Client::set_ping_interval(std::optional<std::chrono::milliseconds> interval) {
  context_.calls().set_ping_interval(context_.client_id(), interval);
}

void Client::refuse(int status, std::string_view words) {
  if (status < 400 || status > 599)
    throw std::invalid_argument("status: " + std::to_string(status) + " is no HTTP error; 400 to 599, such as 403");
  if (!context_.awaits_answer()) return close();
  context_.verdict().status = status;
  context_.verdict().words = words;
}

void Client::choose_subprotocol(std::string_view name) {
  if (name.size() > wire::kMostHead.bytes)
    throw std::invalid_argument("name: a subprotocol of " + std::to_string(name.size()) + " bytes stands in no request");
  context_.verdict().subprotocol = name;
}

Cluster& Client::cluster() { return context_.cluster(); }

}  // namespace gatehouse
