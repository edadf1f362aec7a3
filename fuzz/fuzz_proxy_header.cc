// Reads a PROXY header whole and byte by byte, wants the same result and none of it too late, and reads again what was read after
// it has been written in the other version.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "wire/proxy_header.h"

namespace {

using namespace gatehouse::wire;

void check(bool right) {
  if (!right) std::abort();
}

ProxyHeader read_exactly(std::string_view bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return parse_proxy_header({exact.data(), exact.size()});
}

void check_same(const ProxyHeader& a, const ProxyHeader& b) {
  check(a.status == b.status && a.size == b.size && a.names_client == b.names_client && a.address == b.address &&
        a.port == b.port && std::string_view(a.reason) == b.reason);
}

std::string version_2(const ProxyHeader& header) {
  std::string out("\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24", 16);
  out.append(header.address.begin(), header.address.end());
  out.append(16, '\0');
  char port[2];
  gatehouse::store_be16(port, header.port);
  return out + std::string(port, 2) + std::string(2, '\0');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const ProxyHeader whole = read_exactly(input);
  check((whole.status == ProxyStatus::malformed || whole.status == ProxyStatus::too_long) == (whole.reason[0] != '\0'));
  check(whole.status == ProxyStatus::complete || (whole.size == 0 && !whole.names_client && whole.port == 0));
  check(whole.size <= input.size() && whole.size <= kMostProxyHeader);
  if (whole.status == ProxyStatus::need_more) {
    check(input.size() < kMostProxyHeader);
    return 0;
  }
  // Decided by as many bytes as it takes, and not by those behind it.
  ProxyHeader piece;
  std::size_t shown = 0;
  while (piece.status == ProxyStatus::need_more) piece = read_exactly(input.substr(0, shown++));
  check_same(piece, whole);
  if (whole.status != ProxyStatus::complete) return 0;
  check(shown - 1 == whole.size);
  if (!whole.names_client) return 0;
  ProxyHeader again = read_exactly(version_2(whole));
  again.size = whole.size;
  check_same(again, whole);
  return 0;
}
