#pragma once

#include <nlohmann/json.hpp>

namespace gatehouse {

/// A session, or anything in it: JSON with its keys in the order in which they were set (as in PHP).
///
/// Between PHP and native workers: a PHP array with the keys 0, 1, 2 … is a JSON array, every other one an object (an empty one
/// is an array, except at the top of a session, which is an object). Keys that look like integers ("7") are PHP integers. Strings
/// are bytes and need not be UTF-8 as long as they are not dumped as JSON.
using Value = nlohmann::ordered_json;

}  // namespace gatehouse
