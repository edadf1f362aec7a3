#pragma once

#include <cstddef>
#include <vector>

#include "../integers.h"

// Log-linear, 64 steps per power of two: a percentile is the upper edge of its bucket (at most 1.6 % high),
// the maximum is exact.
struct Hist {
  static constexpr int SUB = 6;
  std::vector<u64> b = std::vector<u64>((64 - SUB + 1) << SUB);
  u64 n = 0, mx = 0;
  double sum = 0;
  static unsigned idx(u64 v) {
    if (v < (1u << SUB)) return (unsigned)v;
    int e = 63 - __builtin_clzll(v);
    return (unsigned)(((e - SUB + 1) << SUB) + ((v >> (e - SUB)) & ((1 << SUB) - 1)));
  }
  static u64 upper(unsigned i) {
    if (i < (1u << SUB)) return i;
    int e = (int)(i >> SUB) + SUB - 1;
    u64 lo = ((u64)(1 << SUB) + (i & ((1 << SUB) - 1))) << (e - SUB);
    return lo + (1ull << (e - SUB)) - 1;
  }
  void add(u64 v) {
    b[idx(v)]++;
    n++;
    sum += (double)v;
    if (v > mx) mx = v;
  }
  void merge(const Hist& o) {
    for (size_t i = 0; i < b.size(); i++) b[i] += o.b[i];
    n += o.n;
    sum += o.sum;
    mx = std::max(mx, o.mx);
  }
  double pct(double p) const {  // microseconds
    if (!n) return 0;
    u64 rank = (u64)(p * (double)n + 0.9999999), acc = 0;
    if (rank < 1) rank = 1;
    if (rank > n) rank = n;
    for (size_t i = 0; i < b.size(); i++) {
      acc += b[i];
      if (acc >= rank) return (double)std::min(upper((unsigned)i), mx) / 1e3;
    }
    return (double)mx / 1e3;
  }
  double mean() const { return n ? sum / (double)n / 1e3 : 0; }
};
