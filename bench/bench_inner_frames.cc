// What stands between the roles: frames of the inner port, their ext_data, PHP's values.
#include <benchmark/benchmark.h>

#include <string>

#include "wire/command_ext.h"
#include "wire/gateway_protocol.h"
#include "wire/php_serialize.h"
#include "wire/php_value.h"

namespace {

using namespace gatehouse::wire;

void frame_written(benchmark::State& state) {
  std::string out(GatewayHeader::kSize + 128, '\0');
  for (auto _ : state) {
    write_gateway_header(out.data(), {.command = Command::on_message, .connection_id = 7}, 0, 128);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(frame_written);

void frame_read(benchmark::State& state) {
  std::string frame;
  append_gateway_frame(frame, {.command = Command::on_message, .connection_id = 7}, "a:0:{}", std::string(128, 'x'));
  for (auto _ : state) {
    benchmark::DoNotOptimize(frame.data());
    const DecodedGatewayFrame decoded = decode_gateway_frame(frame, 1024 * 1024);
    if (decoded.status != GatewayFrameStatus::complete) state.SkipWithError("the frame was not read");
    benchmark::DoNotOptimize(decoded.frame.body.data());
  }
}
BENCHMARK(frame_read);

/// The ext_data of a message to one group.
void group_target_read(benchmark::State& state) {
  const std::string ext = group_target_ext({"a room of so many"}, {});
  GroupTarget target;
  for (auto _ : state) {
    if (!parse_group_target(ext, target)) state.SkipWithError("the ext_data was not read");
    benchmark::DoNotOptimize(target);
  }
}
BENCHMARK(group_target_read);

void session_read(benchmark::State& state) {
  PhpArray session;
  for (int i = 0; i < state.range(0); ++i)
    session.set(PhpKey::from_text("key" + std::to_string(i)), PhpValue(std::string("value")));
  const std::string bytes = serialize(PhpValue(session));
  for (auto _ : state) {
    PhpValue value;
    if (unserialize(bytes, value) != PhpStatus::ok) state.SkipWithError("the session was not read");
    benchmark::DoNotOptimize(value);
  }
}
BENCHMARK(session_read)->Arg(1)->Arg(100);

}  // namespace
