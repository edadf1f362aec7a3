#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::master {

/// One line of glibc's backtrace_symbols_fd(): "bin/echo(+0x1a2b)[0x55...]" or "libc.so.6(abort+0xd3)[0x7f...]".
struct Frame {
  std::string module;
  std::string symbol;         // as the dynamic symbol table has it, demangled; empty when it is not there
  std::uint64_t offset = 0;   // from the symbol, or from the module's beginning
  std::uint64_t address = 0;  // in the process that is gone
  [[nodiscard]] bool is_in_module() const { return symbol.empty() && offset != 0; }
};

/// The frames of a report, innermost first; lines that are none are left out, and so is what is over `kMostFrames`.
std::vector<Frame> parse_frames(std::string_view report);

/// What to ask of addr2line for the frames of `module`: for each of them an address, in their order. The innermost is where it
/// happened; the others are where a call returns to, which may be the next line, so one byte before it is asked for.
std::vector<std::string> addresses_of(const std::vector<Frame>& frames, std::string_view module);

/// The answers of "addr2line -a -f -C -i -p", one for each address: "f(int) at main.cc:12", with what was inlined in further
/// lines.
std::vector<std::string> parse_addr2line(std::string_view output);

/// "    #0 f(int) at main.cc:12" and so on, one line for each frame. `names` are those of the frames of `module`, or none.
std::string format_frames(const std::vector<Frame>& frames, std::string_view module, const std::vector<std::string>& names);

inline constexpr std::size_t kMostFrames = 48;

}  // namespace gatehouse::master
