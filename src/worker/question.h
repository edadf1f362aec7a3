#pragma once

#include <coroutine>
#include <cstdint>
#include <utility>

#include "link/cluster_calls.h"

namespace gatehouse {

/// `co_await Question(calls, inquiry)` gives the answers of all gateways that were asked. Destroyed while it waits, it is
/// forgotten.
class Question {
 public:
  Question(ClusterCalls& calls, link::Inquiry inquiry) : calls_(calls), inquiry_(std::move(inquiry)) {}
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;
  ~Question() {
    if (id_ != 0) calls_.cancel(id_);
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    id_ = calls_.ask(inquiry_, [this, awaiting](link::Answers answers) {
      id_ = 0;
      answers_ = std::move(answers);
      awaiting.resume();
    });
  }
  link::Answers await_resume() { return std::move(answers_); }

 private:
  ClusterCalls& calls_;
  link::Inquiry inquiry_;
  link::Answers answers_;
  std::uint64_t id_ = 0;
};

}  // namespace gatehouse
