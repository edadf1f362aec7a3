#include "master/connection_json.h"

namespace gatehouse::master {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

std::string text_of(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Json to_json(const ConnectionRow& row) {
  const bool is_client = row.kind == "client";
  return {{"kind", row.kind},
          {"state", row.state},
          {"protocol", text_or_null(row.protocol)},
          {"client_id", text_or_null(row.client_id)},
          {"uid", text_or_null(row.uid)},
          {"groups", is_client ? Json(row.groups) : Json(nullptr)},
          {"more_groups", is_client ? Json(row.more_groups) : Json(nullptr)},
          {"peer", text_or_null(row.peer)},
          {"local_address", row.local_address},
          {"remote_address", row.remote_address},
          {"unread_bytes", row.unread_bytes},
          {"queued_bytes", row.queued_bytes},
          {"bytes_received", row.bytes_received},
          {"bytes_sent", row.bytes_sent},
          {"paused", row.paused}};
}

Json to_json(const ConnectionFilter& filter) {
  return {{"client_id", filter.client_id}, {"uid", filter.uid}, {"group", filter.group}, {"address", filter.address}};
}

ConnectionFilter filter_from_json(const nlohmann::json& json) {
  if (!json.is_object()) return {};
  return {.client_id = text_of(json, "client_id"),
          .uid = text_of(json, "uid"),
          .group = text_of(json, "group"),
          .address = text_of(json, "address")};
}

}  // namespace gatehouse::master
