#pragma once

// SHA-1 and base64, for the handshake of the load generator and of the floor: both stand on nothing but the C++ library.

#include <string>
#include <vector>

#include "integers.h"

inline void sha1(const u8* d, size_t n, u8 out[20]) {
  u32 h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  std::vector<u8> m(d, d + n);
  m.push_back(0x80);
  while (m.size() % 64 != 56) m.push_back(0);
  u64 bits = static_cast<u64>(n) * 8;
  for (int i = 7; i >= 0; i--) m.push_back(static_cast<u8>(bits >> (8 * i)));
  auto rol = [](u32 x, int k) { return (x << k) | (x >> (32 - k)); };
  for (size_t o = 0; o < m.size(); o += 64) {
    u32 w[80];
    for (int i = 0; i < 16; i++)
      w[i] = u32{m[o + 4 * i]} << 24 | u32{m[o + 4 * i + 1]} << 16 | u32{m[o + 4 * i + 2]} << 8 | m[o + 4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    u32 a = h[0], b = h[1], c = h[2], dd = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
      u32 f, k;
      if (i < 20)
        f = (b & c) | (~b & dd), k = 0x5A827999;
      else if (i < 40)
        f = b ^ c ^ dd, k = 0x6ED9EBA1;
      else if (i < 60)
        f = (b & c) | (b & dd) | (c & dd), k = 0x8F1BBCDC;
      else
        f = b ^ c ^ dd, k = 0xCA62C1D6;
      u32 t = rol(a, 5) + f + e + k + w[i];
      e = dd, dd = c, c = rol(b, 30), b = a, a = t;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += dd, h[4] += e;
  }
  for (int i = 0; i < 20; i++) out[i] = static_cast<u8>(h[i / 4] >> (24 - 8 * (i % 4)));
}
inline std::string base64(const u8* d, size_t n) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string s;
  for (size_t i = 0; i < n; i += 3) {
    u32 v = u32{d[i]} << 16 | (i + 1 < n ? u32{d[i + 1]} << 8 : 0) | (i + 2 < n ? d[i + 2] : 0);
    s += digits[v >> 18];
    s += digits[v >> 12 & 63];
    s += i + 1 < n ? digits[v >> 6 & 63] : '=';
    s += i + 2 < n ? digits[v & 63] : '=';
  }
  return s;
}
