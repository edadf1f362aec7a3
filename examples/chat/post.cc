#include "post.h"

#include <array>
#include <ctime>

namespace chat {
namespace {

std::string clock_time(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm local = {};
  localtime_r(&seconds, &local);
  std::array<char, 8> text = {};
  return {text.data(), std::strftime(text.data(), text.size(), "%H:%M", &local)};
}

std::string on_one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      line += " / ";
    } else {
      line += c == '\t' ? ' ' : c;
    }
  }
  return line;
}

}  // namespace

std::string_view name_of(Via via) { return via == Via::page ? "page" : "terminal"; }

std::string to_text(const gatehouse::Value& value) {
  return value.dump(-1, ' ', false, gatehouse::Value::error_handler_t::replace);
}

std::string Post::for_page() const {
  const auto time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  switch (kind) {
    case Kind::chat:
      return to_text(
          {{"type", "chat"}, {"from", from}, {"via", name_of(via)}, {"room", room}, {"text", text}, {"time", time_ms}});
    case Kind::private_words:
      return to_text({{"type", "private"}, {"from", from}, {"via", name_of(via)}, {"to", to}, {"text", text}, {"time", time_ms}});
    case Kind::joined:
    case Kind::left: break;
  }
  const char* event = kind == Kind::joined ? "joined" : "left";
  return to_text(
      {{"type", "notice"}, {"event", event}, {"name", from}, {"via", name_of(via)}, {"room", room}, {"time", time_ms}});
}

std::string Post::for_terminal() const {
  const std::string start = "[" + clock_time(time) + "] ";
  switch (kind) {
    case Kind::chat: return start + from + ": " + on_one_line(text);
    case Kind::private_words: return start + from + " to " + to + " alone: " + on_one_line(text);
    case Kind::joined: return start + "* " + from + " joined";
    case Kind::left: break;
  }
  return start + "* " + from + " left";
}

}  // namespace chat
