#include "application/descriptor_limit.h"

#include <fmt/format.h>
#include <sys/resource.h>

namespace gatehouse {
namespace {

constexpr std::uint64_t kReserved = 64;
// What one gateway process can be expected to hold; whoever has fewer clients is not hurt by the line in the log.
constexpr std::uint64_t kEnough = 65'536;

}  // namespace

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

std::uint64_t clients_that_fit(std::uint64_t descriptor_limit) {
  return descriptor_limit > kReserved ? descriptor_limit - kReserved : 0;
}

std::optional<std::string> describe_low_limit(std::uint64_t descriptor_limit) {
  if (descriptor_limit >= kEnough) return std::nullopt;
  return fmt::format(
      "a gateway process has room for {} clients, as it may have {} descriptors open; more with \"ulimit -n NUMBER\" before the "
      "start, or LimitNOFILE=NUMBER in the systemd unit",
      clients_that_fit(descriptor_limit), descriptor_limit);
}

}  // namespace gatehouse
