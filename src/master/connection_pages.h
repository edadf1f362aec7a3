#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/connection_row.h"
#include "net/loop.h"

namespace gatehouse::master {

/// A child's answer to the question "connections", one piece of a list that may be very long:
///
///   {"ask":"connections","from":0,"filter":{...}}
///   {"rows":[...],"next":4096}        next is null after the last piece
///
/// `question` names the slot to begin at. A piece is what fits into one line of the control channel, and what can be looked
/// through without keeping clients waiting. Connections are not held still between the pieces: one that comes or goes meanwhile
/// may be in the list or not, no other is missed.
nlohmann::ordered_json connection_page(net::Loop& loop, const nlohmann::json& question);

/// Whether `row` is what the filter asks for.
bool matches(const ConnectionRow& row, const ConnectionFilter& filter);

}  // namespace gatehouse::master
