#include <gatehouse/gateway_client.h>

#include <chrono>
#include <iostream>
#include <string>
namespace gh = gatehouse;

// pusher [REGISTER [MILLISECONDS]]
int main(int argc, char** argv) {
  try {
    gh::GatewayClient client({.register_addresses = {argc > 1 ? argv[1] : "127.0.0.1:1236"},
                              .connect_timeout = std::chrono::milliseconds(argc > 2 ? std::stoi(argv[2]) : 300)});
    client.send_to_uid("42", "your order is ready");
    std::cout << client.client_count() << " online\n";
  } catch (const gh::Error& error) {
    std::cout << "not answered: " << error.what() << "\n";
  }
}
