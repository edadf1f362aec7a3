#pragma once

#include <gatehouse/gateway_client.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "client/fork_mark.h"
#include "link/cluster_calls.h"
#include "net/loop.h"
#include "net/tls_context.h"

namespace gatehouse {

/// A thread with a loop and the calls of a cluster on it. Everything public is for other threads, any of them, several at once.
class ClientThread {
 public:
  explicit ClientThread(GatewayClientOptions options);
  ClientThread(const ClientThread&) = delete;
  ClientThread& operator=(const ClientThread&) = delete;
  /// Waits up to a second for the gateways to have what was commanded, then ends the connections in order.
  ~ClientThread();

  /// Whether this is a child of the process that made it. There is no thread here, and the connections are the parent's: the only
  /// thing to be done is to forget the object, without its destructor. Everything below throws std::logic_error then.
  [[nodiscard]] bool is_in_child() const { return fork_mark_.is_in_child(); }

  /// Runs `call` on the thread, behind those that were given before. `size` is about what it holds, in bytes: the caller waits
  /// when too much is on its way there already.
  void command(std::size_t size, std::function<void(ClusterCalls& calls)> call);
  /// Blocks until the answers are there. They are for the readers of link/answers.h, which throw what is to be thrown.
  link::Answers ask(const link::Inquiry& inquiry);
  /// See GatewayClient::flush().
  void flush(std::chrono::milliseconds timeout);

  /// Of commands that the thread has not come to yet.
  static constexpr std::size_t kMaxWaitingBytes = 16 * 1024 * 1024;

 private:
  struct Outcome {
    link::Answers answers;
    std::vector<ClusterCalls::Missed> missed;
  };
  void run();
  void check_thread() const;
  void check_lost() const;
  void done_with(std::size_t size);
  /// Runs `start` on the thread and waits for what it calls back with.
  Outcome wait_for(std::chrono::milliseconds longest, bool with_missed, std::function<void(link::OnAnswers done)> start);

  const ForkMark fork_mark_;
  const GatewayClientOptions options_;
  const std::unique_ptr<net::TlsContext> tls_;  // null: not encrypted
  net::Loop loop_;
  ClusterCalls calls_;
  std::atomic<std::thread::id> id_;        // set by the thread itself
  std::atomic<bool> unconfirmed_ = false;  // something was commanded since the last flush
  std::atomic<bool> is_lost_ = false;      // the thread has ended: somebody has closed its descriptors
  std::mutex mutex_;
  std::condition_variable room_;
  std::size_t waiting_bytes_ = 0;
  std::thread thread_;
};

}  // namespace gatehouse
