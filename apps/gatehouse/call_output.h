#pragma once

#include <gatehouse/value.h>

#include <string>

namespace gatehouse::call {

/// An answer as text: a value in one line; a list with a line for each; answers with names as "name TAB value", a list among them
/// with a line for each of its values. Objects stand as JSON in one line, and so does all of it when it is `one_value`. Control
/// characters are written as \xNN, so that a line is a line. Empty for null.
std::string as_text(const Value& answer, bool one_value);

/// One JSON document in one line. Bytes that are not UTF-8 are replaced.
std::string as_json(const Value& answer);

}  // namespace gatehouse::call
