#pragma once

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Seconds of processor time that a process has used.
struct Cpu {
  double user = 0, sys = 0;
};
inline Cpu proc_cpu(int pid) {
  Cpu c;
  char f[64], b[1024];
  snprintf(f, sizeof f, "/proc/%d/stat", pid);
  FILE* p = fopen(f, "r");
  if (!p) return c;
  size_t n = fread(b, 1, sizeof b - 1, p);
  fclose(p);
  b[n] = 0;
  char* q = strrchr(b, ')');
  unsigned long long u = 0, s = 0;
  if (q) sscanf(q + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &u, &s);
  double hz = (double)sysconf(_SC_CLK_TCK);
  c.user = (double)u / hz;
  c.sys = (double)s / hz;
  return c;
}
