#pragma once

namespace loadgen {

/// Seconds of processor time that a process has used.
struct CpuUse {
  double user_s = 0;
  double system_s = 0;

  CpuUse operator-(const CpuUse& other) const { return {user_s - other.user_s, system_s - other.system_s}; }
  CpuUse operator/(double divisor) const { return {user_s / divisor, system_s / divisor}; }
  CpuUse& operator+=(const CpuUse& other) {
    user_s += other.user_s;
    system_s += other.system_s;
    return *this;
  }
};

/// Zero when there is no such process.
CpuUse cpu_use_of(int pid);

/// Of this program, and finer: in microseconds instead of clock ticks.
CpuUse own_cpu_use();

}  // namespace loadgen
