// What a line says is what the line that is written from it says.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/register_line.h"

using namespace gatehouse::wire;

namespace {

RegisterLine read_back(const std::string& line) {
  // The line's end is nowhere but at its end, whatever stands in its fields.
  if (line.find('\n') != line.size() - 1) std::abort();
  return parse_register_line(std::string_view(line).substr(0, line.size() - 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const RegisterLine line = parse_register_line(text);
  std::string written;
  switch (line.event) {
    case RegisterLine::Event::invalid:
    case RegisterLine::Event::unknown:
      // Any bytes may be someone's secret.
      written = worker_connect_line(text);
      if (read_back(written).event != RegisterLine::Event::worker_connect) std::abort();
      return 0;
    case RegisterLine::Event::gateway_connect: written = gateway_connect_line(line.address, line.secret_key); break;
    case RegisterLine::Event::worker_connect: written = worker_connect_line(line.secret_key); break;
    case RegisterLine::Event::ping: written = ping_line(); break;
    case RegisterLine::Event::address_taken: written = address_taken_line(line.address, line.other, line.is_kept); break;
    case RegisterLine::Event::broadcast_addresses: written = broadcast_addresses_line(line.addresses); break;
  }
  const RegisterLine again = read_back(written);
  if (again.event != line.event || again.address != line.address || again.secret_key != line.secret_key ||
      again.addresses != line.addresses) {
    std::abort();
  }
  return 0;
}
