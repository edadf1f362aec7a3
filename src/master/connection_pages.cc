#include "master/connection_pages.h"

#include <algorithm>

#include "master/connection_json.h"
#include "master/json_lines.h"

namespace gatehouse::master {
namespace {

// About 3 ms of work.
constexpr std::uint32_t kMostSlots = 4096;
// Half of a line. What is over it by the last row (a client id, a uid, ConnectionRow::kMaxGroupBytes of groups, each byte of
// them six as \u0000) still fits.
constexpr std::size_t kMostBytes = 128 * 1024;

/// "127.0.0.1:8282" without its port, "[::1]:8282" without that and the brackets.
std::string_view ip_of(std::string_view address) {
  address = address.substr(0, address.rfind(':'));
  if (address.starts_with('[')) return address.substr(1, address.size() - 2);
  return address;
}

}  // namespace

bool matches(const ConnectionRow& row, const ConnectionFilter& filter) {
  if (!filter.client_id.empty() && row.client_id != filter.client_id) return false;
  if (!filter.uid.empty() && row.uid != filter.uid) return false;
  if (!filter.address.empty() && row.remote_address != filter.address && ip_of(row.remote_address) != filter.address)
    return false;
  return filter.group.empty() || std::find(row.groups.begin(), row.groups.end(), filter.group) != row.groups.end();
}

nlohmann::ordered_json connection_page(net::Loop& loop, const nlohmann::json& question) {
  const auto filter_json = question.find("filter");
  const ConnectionFilter filter = filter_json == question.end() ? ConnectionFilter{} : filter_from_json(*filter_json);
  const auto from = question.find("from");
  const std::uint32_t first = from != question.end() && from->is_number_unsigned() ? from->get<std::uint32_t>() : 0;

  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  std::size_t bytes = 0;
  const std::uint32_t next = loop.visit_connections(first, kMostSlots, [&](const net::Connection& connection) {
    if (bytes >= kMostBytes) return false;
    ConnectionRow row = connection.describe();
    if (row.kind.empty() || row.state == "closed" || !matches(row, filter)) return true;
    nlohmann::ordered_json json = to_json(row);
    bytes += json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).size() + 1;
    rows.push_back(std::move(json));
    return true;
  });
  nlohmann::ordered_json answer = {{"rows", std::move(rows)}, {"next", nullptr}};
  if (next < loop.connection_slots()) answer["next"] = next;
  return answer;
}

}  // namespace gatehouse::master
