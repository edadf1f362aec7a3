#pragma once

// A whole gateway in a fake kernel, and everybody who may connect to it: for fuzz_gateway and fuzz_inner_port.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fake_kernel/fake_kernel.h"
#include "fuzz/script.h"
#include "gateway/gateway.h"
#include "wire/websocket_frame.h"

namespace gatehouse::fuzz {

class GatewayWorld {
 public:
  /// What one decision of the input is about.
  enum class Part : std::uint8_t { everything, inner_port };

  /// The options are the script's first decisions.
  GatewayWorld(Script& script, Part part);

  /// Plays the script to its end, then has everybody hang up, and looks whether the gateway is left as it was.
  void play();

 private:
  struct Client {
    int end = -1;
    std::string received;  // and not looked at
    bool shaken = false;   // the 101 has come
    bool unknown = false;  // bytes were sent to it raw, or it was refused: what comes is not looked at
    wire::WebSocketState state;
  };
  struct Inner {
    int end = -1;
    std::string received;
    bool asked = false;  // answers to questions come between the frames
  };

  static GatewayOptions options(Script& script);
  void step();
  void step_of_client();
  void step_of_inner();
  void step_of_kernel();
  void dial_client();
  void dial_inner();
  Client* some_client();
  Inner* some_inner();
  void say(int end, std::string_view bytes);
  [[nodiscard]] std::string handshake();
  [[nodiscard]] std::string frame();
  void look(Client& client);
  void look(Inner& inner);
  void look_at_all();
  void end_everything();
  void run_until_idle();

  Script& script_;
  const Part part_;
  GatewayOptions options_;
  testing::FakeKernel kernel_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<Gateway> gateway_;
  wire::WebSocketReader reader_{wire::WebSocketReader::Role::client, {.message = 16 * 1024 * 1024, .fragments = 1 << 20}};
  std::vector<Client> clients_;
  std::vector<Inner> inners_;
  std::vector<std::uint32_t> ids_;  // of clients, as workers were told
  int fail_in_ = -1;                // calls until one fails
  int error_ = 0;
  std::size_t most_ = SIZE_MAX;
  bool raw_ = false;  // somebody may send bytes to clients that are no frames
  bool ending_ = false;
};

}  // namespace gatehouse::fuzz
