// A stream of frames of the inner port, cut at every size that the first byte says: whole frames encode to their bytes again, and
// a cut frame is never taken for a whole one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "wire/gateway_protocol.h"

using namespace gatehouse::wire;

namespace {

constexpr std::size_t kMaxSize = 1024;

// From memory of its own, so that the sanitizer sees a read behind the cut.
GatewayFrameStatus status_of_part(std::string_view bytes, std::size_t size) {
  const std::vector<char> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  return decode_gateway_frame({part.data(), part.size()}, kMaxSize).status;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t cut = data[0];
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  while (true) {
    const DecodedGatewayFrame decoded = decode_gateway_frame(rest, kMaxSize);
    if (decoded.status != GatewayFrameStatus::complete) {
      if (std::strlen(describe(decoded.status)) == 0) std::abort();
      if (decoded.status == GatewayFrameStatus::need_more && decoded.size != 0 && decoded.size <= rest.size()) std::abort();
      break;
    }
    if (decoded.size < GatewayHeader::kSize || decoded.size > rest.size() || decoded.size > kMaxSize) std::abort();
    if (cut < decoded.size && status_of_part(rest, cut) != GatewayFrameStatus::need_more) std::abort();
    const GatewayFrame& frame = decoded.frame;
    std::string again;
    append_gateway_frame(again, frame.header, frame.ext_data, frame.body);
    if (again != rest.substr(0, decoded.size)) std::abort();
    rest.remove_prefix(decoded.size);
  }

  ConnectBody connect;
  if (parse_connect_body(rest, connect)) {
    ConnectBody again;
    const std::string body = worker_connect_body(connect.worker_key, connect.secret_key, connect.extension != 0);
    if (!parse_connect_body(body, again)) std::abort();
    if (again.worker_key != connect.worker_key || again.secret_key != connect.secret_key) std::abort();
    if ((again.extension != 0) != (connect.extension != 0)) std::abort();
  }
  Hello hello;
  (void)parse_hello_body(rest, hello);
  return 0;
}
