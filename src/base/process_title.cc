#include "base/process_title.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace gatehouse {
namespace {

// Numbers of the fields of /proc/PID/stat as proc(5) counts them.
constexpr std::size_t kThreads = 20;
constexpr std::size_t kStartCode = 26;
constexpr std::size_t kEndCode = 27;
constexpr std::size_t kStartStack = 28;
constexpr std::size_t kStartData = 45;
constexpr std::size_t kEndData = 46;
constexpr std::size_t kStartBrk = 47;
constexpr std::size_t kEnvStart = 50;
constexpr std::size_t kEnvEnd = 51;
constexpr std::size_t kFields = 52;

using Fields = std::array<std::uint64_t, kFields + 1>;

/// Without the heap: from here to the prctl() nothing may move the end of the heap, which is among what it sets.
std::optional<Fields> read_stat() {
  std::array<char, 4096> buffer{};
  const int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  const ssize_t size = read(fd, buffer.data(), buffer.size());
  close(fd);
  if (size <= 0) return std::nullopt;
  std::string_view text(buffer.data(), static_cast<std::size_t>(size));
  // The second field is the name in brackets, and may have anything in it.
  const std::size_t behind_name = text.rfind(')');
  if (behind_name == std::string_view::npos) return std::nullopt;
  text.remove_prefix(behind_name + 1);
  Fields fields{};
  for (std::size_t number = 3; number <= kFields; ++number) {
    text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
    if (text.empty()) return std::nullopt;
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    (void)std::from_chars(text.data(), text.data() + end, fields[number]);  // a letter or a negative number is of no interest
    text.remove_prefix(end);
  }
  return fields;
}

}  // namespace

bool set_process_title(const std::string& title) {
  const std::size_t size = title.size() + 1;
  void* const text = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (text == MAP_FAILED) return false;
  std::memcpy(text, title.c_str(), size);
  const auto begin = reinterpret_cast<std::uint64_t>(text);  // NOLINT: the kernel's way to name memory

  const auto fields = read_stat();
  // With several threads another could move the end of the heap meanwhile.
  const bool known = fields && (*fields)[kThreads] == 1 && (*fields)[kStartCode] != 0 && (*fields)[kStartBrk] != 0;
  if (known) {
    prctl_mm_map map{};
    map.start_code = (*fields)[kStartCode];
    map.end_code = (*fields)[kEndCode];
    map.start_data = (*fields)[kStartData];
    map.end_data = (*fields)[kEndData];
    map.start_brk = (*fields)[kStartBrk];
    map.brk = reinterpret_cast<std::uint64_t>(sbrk(0));  // NOLINT: as above
    map.start_stack = (*fields)[kStartStack];
    map.arg_start = begin;
    map.arg_end = begin + size;
    map.env_start = (*fields)[kEnvStart];
    map.env_end = (*fields)[kEnvEnd];
    map.exe_fd = static_cast<std::uint32_t>(-1);
    if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) == 0) return true;
  }
  munmap(text, size);
  return false;
}

void set_process_name(const std::string& name) { (void)prctl(PR_SET_NAME, name.c_str(), 0, 0, 0); }

}  // namespace gatehouse
