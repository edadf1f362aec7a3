#include "net/tls_tickets.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <charconv>
#include <cstring>
#include <ctime>
#include <stdexcept>

namespace gatehouse::net {
namespace {

void hash(const TlsTickets::Seed& seed, std::string_view what, std::uint8_t* out, std::size_t size) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> block{};
  unsigned int block_size = 0;
  HMAC(EVP_sha256(), seed.data(), static_cast<int>(seed.size()), reinterpret_cast<const std::uint8_t*>(what.data()),  // NOLINT
       what.size(), block.data(), &block_size);
  std::memcpy(out, block.data(), size);
  OPENSSL_cleanse(block.data(), block.size());
}

}  // namespace

std::uint64_t TlsTickets::now_s() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec);
}

TlsTickets::TlsTickets(const Seed& seed, std::uint64_t since_s) : seed_(seed), period_(since_s / kPeriodS), current_(derive()) {}

TlsTickets::~TlsTickets() { OPENSSL_cleanse(seed_.data(), seed_.size()); }

TlsTickets::Keys::~Keys() {
  OPENSSL_cleanse(cipher.data(), cipher.size());
  OPENSSL_cleanse(mac.data(), mac.size());
}

TlsTickets::Origin::~Origin() { OPENSSL_cleanse(seed.data(), seed.size()); }

TlsTickets::Keys TlsTickets::derive() const {
  Keys keys;
  hash(seed_, "gatehouse ticket name", keys.name.data(), keys.name.size());
  hash(seed_, "gatehouse ticket cipher", keys.cipher.data(), keys.cipher.size());
  hash(seed_, "gatehouse ticket mac", keys.mac.data(), keys.mac.size());
  return keys;
}

void TlsTickets::advance(std::uint64_t period) {
  for (; period_ < period; ++period_) {
    Seed next{};
    hash(seed_, "gatehouse next seed", next.data(), next.size());
    seed_ = next;
    OPENSSL_cleanse(next.data(), next.size());
    // Only the one before is kept, and of a long pause none.
    previous_.reset();
    if (period_ + 1 == period) previous_ = current_;
    if (period_ + 2 >= period) current_ = derive();
  }
}

const TlsTickets::Keys& TlsTickets::current(std::uint64_t now_s) {
  advance(now_s / kPeriodS);
  return current_;
}

const TlsTickets::Keys* TlsTickets::find(const std::uint8_t* name, std::uint64_t now_s) {
  advance(now_s / kPeriodS);
  if (std::memcmp(name, current_.name.data(), current_.name.size()) == 0) return &current_;
  if (previous_ && std::memcmp(name, previous_->name.data(), previous_->name.size()) == 0) return &*previous_;
  return nullptr;
}

std::string TlsTickets::draw(std::uint64_t now_s) {
  Seed seed{};
  if (RAND_bytes(seed.data(), static_cast<int>(seed.size())) != 1) throw std::runtime_error("OpenSSL has no random bytes");
  std::string text = std::to_string(now_s) + ":";
  for (const std::uint8_t byte : seed) text += fmt::format("{:02x}", byte);
  OPENSSL_cleanse(seed.data(), seed.size());
  return text;
}

std::optional<TlsTickets::Origin> TlsTickets::parse(std::string_view text) {
  Origin origin;
  const char* end = text.data() + text.size();
  const auto [colon, error] = std::from_chars(text.data(), end, origin.since_s);
  if (error != std::errc() || static_cast<std::size_t>(end - colon) != 1 + 2 * kSeedSize || *colon != ':') return std::nullopt;
  const char* at = colon + 1;
  for (std::uint8_t& byte : origin.seed) {
    const auto [next, wrong] = std::from_chars(at, at + 2, byte, 16);
    if (wrong != std::errc() || next != at + 2) return std::nullopt;
    at += 2;
  }
  return origin;
}

}  // namespace gatehouse::net
