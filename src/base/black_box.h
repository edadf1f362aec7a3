#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace gatehouse {

/// What user code a process is in.
enum class Activity : std::uint32_t {
  none,
  on_worker_start,
  on_connect,
  on_websocket_connect,
  on_message,
  on_close,
  on_worker_stop,
  timer,
  task,
};
/// "on_message"; "nothing" for none.
const char* to_string(Activity activity);

/// A client id as a process notes it: its parts, for there is no time to make text of them at every event.
struct RecordedClient {
  std::uint32_t gateway_ip = 0;
  std::uint16_t gateway_port = 0;
  std::uint32_t connection = 0;  // 0: no client
};

/// The memory that a process shares with the master, so that the master sees what it is doing when it does not answer any more,
/// and what it was doing when it is gone. All zero at the start.
struct BlackBoxPage {
  std::atomic<std::uint64_t> iteration;  // of the loop; 0 while it waits (net::Loop::show_progress)
  std::atomic<std::uint64_t> handler;    // counts up; which call of user code runs, 0 for none
  std::atomic<Activity> activity;
  std::atomic<std::uint32_t> client_ip;
  std::atomic<std::uint32_t> client_port;
  std::atomic<std::uint32_t> client_connection;
  std::atomic<std::uint32_t> answers_dump_signal;  // 1 once the process does
  std::atomic<std::uint32_t> signal;               // that ended it, or 0
  std::atomic<std::uint64_t> report_bytes;         // of the last backtrace, set when it is complete
  std::atomic<std::uint64_t> report_handler;       // `handler` when it was written
  std::atomic<std::uint64_t> reports;              // backtraces written so far

  [[nodiscard]] RecordedClient client() const {
    return {client_ip, static_cast<std::uint16_t>(client_port.load()), client_connection};
  }

  static constexpr std::size_t kSize = 4096;  // a page; the backtrace's text stands behind it in the file
};

/// A process's own end of it.
///
/// Thread rule: begin() and end() on one thread.
class BlackBox {
 public:
  /// Nobody looks.
  BlackBox();
  /// The descriptor inherited from the master, which stays open.
  explicit BlackBox(int fd);
  BlackBox(const BlackBox&) = delete;
  BlackBox& operator=(const BlackBox&) = delete;
  ~BlackBox();

  [[nodiscard]] BlackBoxPage& page() { return *page_; }

  /// User code begins and ends: a few stores, no system call, no clock. Of what begins inside of something else nothing is noted.
  void begin(Activity activity, RecordedClient client = {}) {
    if (depth_++ > 0) return;
    page_->activity.store(activity, std::memory_order_relaxed);
    page_->client_ip.store(client.gateway_ip, std::memory_order_relaxed);
    page_->client_port.store(client.gateway_port, std::memory_order_relaxed);
    page_->client_connection.store(client.connection, std::memory_order_relaxed);
    page_->handler.store(++count_, std::memory_order_release);
  }
  void end() {
    if (--depth_ > 0) return;
    page_->handler.store(0, std::memory_order_relaxed);
    page_->activity.store(Activity::none, std::memory_order_relaxed);
  }

  /// From now on a crash (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP) leaves its backtrace here, and then ends the
  /// process as it would have; and dump_signal() has the main thread leave one and go on. To be called by the main thread, for
  /// one object in a process: signals belong to the process. Under AddressSanitizer crashes are left to it.
  void answer_signals();

  /// The signal that the master sends to a process that is stuck.
  static int dump_signal();

 private:
  std::unique_ptr<BlackBoxPage> own_;  // when nobody looks
  BlackBoxPage* page_ = nullptr;
  std::unique_ptr<char[]> signal_stack_;  // a stack overflow leaves none to run on
  std::uint64_t count_ = 0;
  int depth_ = 0;
  int fd_ = -1;
};

/// Notes user code for as long as it lives. `box` may be null.
class ActivityMark {
 public:
  ActivityMark(BlackBox* box, Activity activity, RecordedClient client = {}) : box_(box) {
    if (box_ != nullptr) box_->begin(activity, client);
  }
  ~ActivityMark() {
    if (box_ != nullptr) box_->end();
  }
  ActivityMark(const ActivityMark&) = delete;
  ActivityMark& operator=(const ActivityMark&) = delete;

 private:
  BlackBox* box_;
};

}  // namespace gatehouse
