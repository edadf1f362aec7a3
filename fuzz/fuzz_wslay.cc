// Frames of a client, read by ours and by libwslay: the same messages, and the same verdict. What is meant to differ stands in
// tests/differential/wslay_oracle.cc.
#include <cstdint>
#include <cstdio>
#include <string>

#include "differential/wslay_oracle.h"
#include "fuzz/script.h"
#include "wire/websocket_frame.h"

namespace {

using namespace gatehouse;

/// Frames that are nearly right, so that both get far.
std::string some_stream(fuzz::Script& script) {
  std::string stream;
  while (!script.done()) {
    const std::uint8_t first = script.byte();
    if (first == 0xff) {
      stream += script.text();
      continue;
    }
    const auto opcode = static_cast<wire::Opcode>(first % 11);
    std::string payload(script.text());
    if (script.byte() > 240) payload += std::string(script.number() % 6000, 'y');
    const std::size_t start = stream.size();
    wire::append_masked_frame(stream, opcode, payload, script.number(), (first & 0x80U) != 0);
    if (script.byte() > 240) stream[start + script.below(8) % (stream.size() - start)] = static_cast<char>(script.byte());
  }
  return stream;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script(data, size);
  const std::string stream = script.flip() ? std::string(script.all()) : some_stream(script);
  const std::string difference = differential::compare(stream);
  if (!difference.empty()) std::fprintf(stderr, "%s\n", difference.c_str());
  fuzz::check(difference.empty());
  return 0;
}
