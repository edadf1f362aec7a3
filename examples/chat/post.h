#pragma once

#include <gatehouse/value.h>

#include <chrono>
#include <string>
#include <string_view>

namespace chat {

/// How a person takes part: with the web page or with a terminal.
enum class Via { page, terminal };

std::string_view name_of(Via via);

/// One thing that people in a room get to see, in the two forms in which it is sent.
struct Post {
  enum class Kind { chat, private_words, joined, left };

  Kind kind = Kind::chat;
  std::string from = {};
  Via via = Via::page;
  std::string room = {};  // of `from`; where a private message was written does not matter
  std::string to = {};    // private_words only
  std::string text = {};  // readable(), see text_rules.h; empty for joined and left
  std::chrono::system_clock::time_point time = std::chrono::system_clock::now();

  /// One JSON object, as README.md describes it.
  [[nodiscard]] std::string for_page() const;
  /// One line without its end: "[12:01] ann: words". A line feed in the words becomes " / ", so that nobody can write a line in
  /// somebody else's name.
  [[nodiscard]] std::string for_terminal() const;
};

/// As JSON text. Bytes that are not UTF-8 become U+FFFD, so it never throws.
std::string to_text(const gatehouse::Value& value);

}  // namespace chat
