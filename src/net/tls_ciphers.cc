#include "net/tls_ciphers.h"

#include <stdexcept>

namespace gatehouse::net {
namespace {

constexpr std::array<const char*, 3> kNames = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"};

std::size_t index_of(TlsAead aead) { return static_cast<std::size_t>(aead); }

}  // namespace

std::size_t key_size(TlsAead aead) { return aead == TlsAead::aes_128_gcm ? 16 : 32; }

TlsCiphers::TlsCiphers() {
  for (std::size_t i = 0; i < kAeads; ++i) {
    ciphers_[i].reset(EVP_CIPHER_fetch(nullptr, kNames[i], nullptr));
    sealing_[i].context.reset(EVP_CIPHER_CTX_new());
    opening_[i].context.reset(EVP_CIPHER_CTX_new());
  }
}

EVP_CIPHER_CTX* TlsCiphers::sealing(TlsAead aead, const std::uint8_t* key, std::uint64_t key_id) {
  return prepare(sealing_[index_of(aead)], aead, key, key_id, 1);
}

EVP_CIPHER_CTX* TlsCiphers::opening(TlsAead aead, const std::uint8_t* key, std::uint64_t key_id) {
  return prepare(opening_[index_of(aead)], aead, key, key_id, 0);
}

EVP_CIPHER_CTX* TlsCiphers::prepare(Slot& slot, TlsAead aead, const std::uint8_t* key, std::uint64_t key_id, int encrypt) {
  if (slot.key_id == key_id) return slot.context.get();
  // The algorithm is told once; later a key alone, which leaves the context's memory where it is.
  const EVP_CIPHER* cipher = slot.key_id == 0 ? ciphers_[index_of(aead)].get() : nullptr;
  if (EVP_CipherInit_ex2(slot.context.get(), cipher, key, nullptr, encrypt, nullptr) != 1) {
    throw std::runtime_error(std::string("OpenSSL offers no ") + kNames[index_of(aead)]);
  }
  slot.key_id = key_id;
  return slot.context.get();
}

}  // namespace gatehouse::net
