#include "master/backtrace.h"

#include <cxxabi.h>
#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <memory>

namespace gatehouse::master {
namespace {

std::optional<std::uint64_t> hexadecimal(std::string_view text) {
  if (!text.starts_with("0x")) return std::nullopt;
  text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string demangled(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 && name != nullptr ? std::string(name.get()) : symbol;
}

std::optional<Frame> parse_frame(std::string_view line) {
  const std::size_t bracket = line.rfind('[');
  if (bracket == std::string_view::npos || !line.ends_with(']')) return std::nullopt;
  const auto address = hexadecimal(line.substr(bracket + 1, line.size() - bracket - 2));
  if (!address) return std::nullopt;
  Frame frame;
  frame.address = *address;
  const std::string_view place = line.substr(0, bracket);
  const std::size_t parenthesis = place.rfind('(');
  frame.module = place.substr(0, parenthesis);
  if (parenthesis == std::string_view::npos) return frame;
  const std::string_view inner = place.substr(parenthesis + 1, place.rfind(')') - parenthesis - 1);
  const std::size_t plus = inner.rfind('+');
  if (plus == std::string_view::npos) {
    // A program that is not position-independent: its addresses are those of its file.
    frame.offset = frame.address;
    return frame;
  }
  frame.symbol = demangled(std::string(inner.substr(0, plus)));
  frame.offset = hexadecimal(inner.substr(plus + 1)).value_or(0);
  return frame;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

}  // namespace

std::vector<Frame> parse_frames(std::string_view report) {
  std::vector<Frame> frames;
  for (const std::string_view line : lines_of(report)) {
    if (frames.size() == kMostFrames) break;
    if (auto frame = parse_frame(line)) frames.push_back(std::move(*frame));
  }
  return frames;
}

std::vector<std::string> addresses_of(const std::vector<Frame>& frames, std::string_view module) {
  std::vector<std::string> addresses;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (frames[i].module != module || !frames[i].is_in_module()) continue;
    addresses.push_back(fmt::format("{:#x}", frames[i].offset - (i > 0 ? 1 : 0)));
  }
  return addresses;
}

std::vector<std::string> parse_addr2line(std::string_view output) {
  std::vector<std::string> names;
  for (std::string_view line : lines_of(output)) {
    // The compiler's number for one of several pieces of code of that line says nothing to people.
    line = line.substr(0, line.find(" (discriminator "));
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos && hexadecimal(line.substr(0, colon))) {
      names.emplace_back(line.substr(colon + 2));
    } else if (!names.empty()) {
      names.back() += "\n     " + std::string(line);
    }
  }
  return names;
}

std::string format_frames(const std::vector<Frame>& frames, std::string_view module, const std::vector<std::string>& names) {
  std::string text;
  std::size_t named = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const Frame& frame = frames[i];
    text += fmt::format("{}#{} ", i > 0 ? "\n" : "", i);
    const bool asked = frame.module == module && frame.is_in_module();
    const std::string name = asked && named < names.size() ? names[named] : "";
    if (asked) ++named;
    if (!name.empty() && !name.starts_with("??")) {
      text += name;
    } else if (!frame.symbol.empty()) {
      text += fmt::format("{} in {}", frame.symbol, frame.module);
    } else if (!frame.module.empty()) {
      text += fmt::format("{}+{:#x}", frame.module, frame.offset);
    } else {
      text += fmt::format("{:#x}", frame.address);
    }
  }
  return text;
}

}  // namespace gatehouse::master
