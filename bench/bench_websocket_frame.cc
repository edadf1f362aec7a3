#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "wire/websocket_frame.h"

namespace {

using namespace gatehouse::wire;

constexpr std::uint32_t kMask = 0x9e3779b9;

void set_bytes(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}

/// XOR with the mask, alone.
void unmasking(benchmark::State& state) {
  std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    unmask(bytes, kMask, 0);
    benchmark::DoNotOptimize(bytes.data());
  }
  set_bytes(state);
}
BENCHMARK(unmasking)->Arg(32)->Arg(1024)->Arg(64 * 1024);

/// One whole masked message of a client: header, unmasking, the check of UTF-8 for text.
void reading(benchmark::State& state, Opcode opcode) {
  std::string frame;
  append_masked_frame(frame, opcode, std::string(static_cast<std::size_t>(state.range(0)), 'x'), kMask);
  std::string input = frame;
  WebSocketReader reader(WebSocketReader::Role::server, {});
  WebSocketState connection;
  for (auto _ : state) {
    std::memcpy(input.data(), frame.data(), frame.size());  // reading unmasks in place
    const WebSocketEvent event = reader.next(connection, std::span<char>(input));
    if (event.kind != WebSocketEvent::Kind::message) state.SkipWithError("the frame was not read as a message");
    benchmark::DoNotOptimize(event.payload.data());
  }
  set_bytes(state);
}
BENCHMARK_CAPTURE(reading, text, Opcode::text)->Arg(32)->Arg(1024)->Arg(64 * 1024);
BENCHMARK_CAPTURE(reading, binary, Opcode::binary)->Arg(32)->Arg(1024)->Arg(64 * 1024);

}  // namespace
