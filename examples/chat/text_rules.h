#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace chat {

/// In Unicode code points.
inline constexpr std::size_t kMaxNameLength = 24;
inline constexpr std::size_t kMaxTextLength = 2000;

/// What is wrong with a nickname or a room name, as a sentence for the person who chose it; empty when nothing is.
/// `what` begins the sentence: "A nickname".
///
/// Names may be anything that can be read: "<b>" is a fine one, showing it as text is the page's duty. Refused are invisible
/// characters, which would make two names look the same, and ":", which ends the name in a terminal's "$name:words".
std::string name_fault(std::string_view what, std::string_view name);

/// What is wrong with the words of a message, likewise.
std::string text_fault(std::string_view text);

/// The words without what could steer a terminal or reorder the line around them: control characters (line feeds and tabs
/// stay), and the marks that switch the direction of writing. REQUIRES: valid UTF-8.
std::string readable(std::string_view text);

/// Without spaces, tabs and line ends around it.
std::string_view trimmed(std::string_view text);

}  // namespace chat
