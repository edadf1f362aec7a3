#include "master/supervised_process.h"

namespace gatehouse::master {

const char* to_string(SupervisedProcess::State state) {
  switch (state) {
    case SupervisedProcess::State::starting: return "starting";
    case SupervisedProcess::State::running: return "running";
    case SupervisedProcess::State::restarting: return "restarting";
    case SupervisedProcess::State::stopped: return "stopped";
    case SupervisedProcess::State::leaving: return "leaving";
  }
  return "unknown";
}

}  // namespace gatehouse::master
