// Records of TLS 1.3 as a peer may make them that has the keys: the input is what is in them, so that it comes past the cipher.
// What is no record at all goes to both versions as it is, cut anywhere.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "net/tls_records.h"

using namespace gatehouse::net;

namespace {

// Key and iv that belong to a secret of 32 bytes of value 7 (RFC 8446, 7.3).
constexpr std::array<std::uint8_t, 16> kKey = {0x46, 0x68, 0x86, 0xd7, 0x11, 0x0c, 0x9a, 0x43,
                                               0x4d, 0x9d, 0x75, 0xe8, 0xea, 0x7f, 0x85, 0x49};
constexpr std::array<std::uint8_t, 12> kIv = {0x11, 0x21, 0x5b, 0x21, 0x3b, 0xc0, 0x73, 0xdb, 0x18, 0x9c, 0x20, 0x40};

TlsAgreement agreement(bool is_13, bool is_server) {
  TlsAgreement out;
  out.is_13 = is_13;
  out.is_server = is_server;
  out.read.secret.fill(7);
  out.write.secret.fill(7);
  return out;
}

/// One record with `inner` in it: content, type, padding.
std::string seal(TlsCiphers& ciphers, std::string_view inner, std::uint64_t sequence) {
  std::string out(TlsRecords::kHeaderSize + inner.size() + 16, '\0');
  out[0] = 23;
  out[1] = out[2] = 3;
  out[3] = static_cast<char>((inner.size() + 16) >> 8);
  out[4] = static_cast<char>(inner.size() + 16);
  std::array<std::uint8_t, 12> nonce = kIv;
  for (std::size_t i = 0; i < 8; ++i) nonce[11 - i] = static_cast<std::uint8_t>(nonce[11 - i] ^ (sequence >> (8 * i)));
  EVP_CIPHER_CTX* context = ciphers.sealing(TlsAead::aes_128_gcm, kKey.data(), 1);
  auto* bytes = reinterpret_cast<unsigned char*>(out.data());
  int written = 0;
  EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr);
  EVP_EncryptUpdate(context, nullptr, &written, bytes, TlsRecords::kHeaderSize);
  EVP_EncryptUpdate(context, bytes + TlsRecords::kHeaderSize, &written, reinterpret_cast<const unsigned char*>(inner.data()),
                    static_cast<int>(inner.size()));
  EVP_EncryptFinal_ex(context, bytes + TlsRecords::kHeaderSize + inner.size(), &written);
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, bytes + out.size() - 16);
  return out;
}

/// A buffer of exactly what open() may write, so that a byte more is found.
TlsRecords::Opened open(TlsRecords& records, std::string_view bytes) {
  const std::size_t room = bytes.size() > TlsRecords::kHeaderSize ? bytes.size() - TlsRecords::kHeaderSize : 0;
  char* out = static_cast<char*>(std::malloc(room));
  const TlsRecords::Opened opened = records.open(bytes, out);
  if (opened.consumed > bytes.size() || opened.size > room) std::abort();
  if (opened.kind == TlsRecords::Kind::need_more && opened.consumed != 0) std::abort();
  if ((opened.kind == TlsRecords::Kind::failure) != (opened.problem != nullptr)) std::abort();
  std::free(out);
  return opened;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static TlsCiphers* const ciphers = new TlsCiphers;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const bool is_server = (input[0] & 1) != 0;
  TlsRecords records(*ciphers, agreement(true, is_server));
  TlsRecords old(*ciphers, agreement(false, is_server));
  (void)open(old, input.substr(1));
  (void)open(records, input.substr(1));

  // Each record: two bytes of its size, then what is in it. After new keys nothing is understood any more, and that is well.
  TlsCiphers own;
  input.remove_prefix(1);
  for (std::uint64_t sequence = 0; input.size() >= 2; ++sequence) {
    const std::size_t wanted = (static_cast<std::size_t>(data[size - input.size()]) << 8) | data[size - input.size() + 1];
    input.remove_prefix(2);
    const std::string_view inner = input.substr(0, wanted % 20'000);
    input.remove_prefix(inner.size());
    const std::string record = seal(own, inner, sequence);
    for (std::size_t cut = 0; cut < record.size(); cut += 1 + record.size() / 7) {
      if (open(records, std::string_view(record).substr(0, cut)).kind == TlsRecords::Kind::data) std::abort();
    }
    const auto opened = open(records, record);
    if (opened.kind == TlsRecords::Kind::end || opened.kind == TlsRecords::Kind::failure) break;
  }
  return 0;
}
