#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "master/black_box_reader.h"
#include "master/process_spec.h"
#include "master/program_image.h"
#include "master/restart_policy.h"
#include "net/loop.h"

namespace gatehouse::master {

/// One place in the master's table: a process that is to be there, whether or not it is at this moment. The process that follows
/// a dead one takes its place and its index.
struct SupervisedProcess {
  using Clock = std::chrono::steady_clock;
  enum class State {
    starting,    // executed, and not ready yet
    running,     // has announced itself
    restarting,  // ended; waits to be started again
    stopped,     // ended, and is not to come back
    leaving,     // replaced by a reload or told to stop, and still finishing what it had
  };

  const ProcessSpec* spec = nullptr;
  std::shared_ptr<const ProgramImage> image = {};  // what it is started from, also when it is started again
  int index = 0;
  int generation = 0;      // reloads of this place before this process
  bool temporary = false;  // a place only for the time of a reload: of a process that is to replace another, or of one replaced
  bool held = false;       // an operator has stopped it: not to be started again before he says so
  State state = State::stopped;
  pid_t pid = 0;  // 0 when there is none
  net::ConnectionId control = {};
  Clock::time_point started = {};
  RestartPolicy restart_policy = {};
  net::TimerId restart_timer = {};
  std::uint64_t restarts = 0;
  std::uint64_t blocked = 0;                 // times that its thread was held too long (BlockWatch)
  std::string last_exit = {};                // how the last one ended; empty when none has
  std::shared_ptr<BlackBoxReader> box = {};  // of the present process, or the last one
  bool was_ready = false;                    // at any time since the master started
  std::string complaint = {};                // why it cannot start, in its own words

  [[nodiscard]] bool is_alive() const { return pid != 0; }
  /// "gateway web:0", as log lines of the process itself begin.
  [[nodiscard]] std::string label() const { return spec->role + " " + spec->name + ":" + std::to_string(index); }
};

const char* to_string(SupervisedProcess::State state);

}  // namespace gatehouse::master
