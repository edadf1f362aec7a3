#include "master/restart_policy.h"

#include <algorithm>
#include <utility>

namespace gatehouse::master {

RestartPolicy::Duration RestartPolicy::pause_after(Duration lifetime) {
  if (lifetime >= kLongEnough || !failed_before_) {
    failed_before_ = true;
    next_ = kFirstPause;
    return Duration::zero();
  }
  return std::exchange(next_, std::min(next_ * 2, kLongestPause));
}

}  // namespace gatehouse::master
