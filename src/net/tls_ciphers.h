#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <memory>

namespace gatehouse::net {

/// The ciphers of records. Others (CBC, CCM) are not offered in a handshake.
enum class TlsAead : std::uint8_t { aes_128_gcm, aes_256_gcm, chacha20_poly1305 };

/// Bytes of the key.
std::size_t key_size(TlsAead aead);

/// The working state of ciphers, which is about 1 KB for each: one set for all connections of a loop, so that an idle connection
/// keeps nothing but its keys. Whoever comes next with another key has it expanded anew, which costs less than the system call
/// behind it.
class TlsCiphers {
 public:
  TlsCiphers();
  TlsCiphers(const TlsCiphers&) = delete;
  TlsCiphers& operator=(const TlsCiphers&) = delete;

  /// For set_key(): names a key, so that one that is in place already is not expanded again.
  std::uint64_t new_key_id() { return ++last_key_id_; }
  /// A context that encrypts, or decrypts, under `key` (key_size() bytes); the nonce is still to be set.
  EVP_CIPHER_CTX* sealing(TlsAead aead, const std::uint8_t* key, std::uint64_t key_id);
  EVP_CIPHER_CTX* opening(TlsAead aead, const std::uint8_t* key, std::uint64_t key_id);

 private:
  struct FreeCipher {
    void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  struct Slot {
    std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> context;
    std::uint64_t key_id = 0;
  };
  EVP_CIPHER_CTX* prepare(Slot& slot, TlsAead aead, const std::uint8_t* key, std::uint64_t key_id, int encrypt);

  static constexpr std::size_t kAeads = 3;
  std::array<std::unique_ptr<EVP_CIPHER, FreeCipher>, kAeads> ciphers_;
  std::array<Slot, kAeads> sealing_;
  std::array<Slot, kAeads> opening_;
  std::uint64_t last_key_id_ = 0;
};

}  // namespace gatehouse::net
