#include "application/ticket_seed.h"

#include <cstdlib>
#include <cstring>
#include <string>

namespace gatehouse {
namespace {

constexpr const char* kVariable = "GATEHOUSE_TICKET_SEED";

std::string draw() { return net::TlsTickets::draw(net::TlsTickets::now_s()); }

}  // namespace

void draw_ticket_seed() { setenv(kVariable, draw().c_str(), 1); }  // NOLINT(concurrency-mt-unsafe): before there is a thread

std::shared_ptr<net::TlsTickets> take_tickets() {
  char* const value = std::getenv(kVariable);  // NOLINT(concurrency-mt-unsafe): called at the start of main()
  auto origin = net::TlsTickets::parse(value == nullptr ? "" : value);
  if (value != nullptr) explicit_bzero(value, std::strlen(value));
  unsetenv(kVariable);  // NOLINT(concurrency-mt-unsafe)
  if (!origin) origin = net::TlsTickets::parse(draw());
  return std::make_shared<net::TlsTickets>(origin->seed, origin->since_s);
}

}  // namespace gatehouse
