#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "link/gateway_key.h"
#include "net/loop.h"

namespace gatehouse::link {

/// What one gateway had to say to a question.
struct GatewayAnswer {
  GatewayKey gateway;
  bool answered = false;  // false: lost, out of time, or not connected
  std::string value;      // serialized
};
/// One for each gateway that was asked, in the order of their asking; none when the client's gateway is not in the cluster. A
/// single missing one of no gateway (its key is all 0) when no register has told which gateways there are; its value may say why.
using Answers = std::vector<GatewayAnswer>;
using OnAnswers = std::function<void(Answers answers)>;

/// The questions that wait for answers of one or many gateways. Calls back once, when all have answered or the time is up, and
/// never from within open() or finish_asking().
class Questions {
 public:
  Questions(net::Loop& loop, int timeout_ms) : loop_(loop), timeout_ms_(timeout_ms) {}
  Questions(const Questions&) = delete;
  Questions& operator=(const Questions&) = delete;
  ~Questions();

  /// Gives the question's id, never 0. The time runs from now on.
  std::uint64_t open(OnAnswers done) { return open(std::move(done), timeout_ms_); }
  std::uint64_t open(OnAnswers done, int timeout_ms);
  /// Its time begins anew.
  void restart(std::uint64_t id, int timeout_ms);
  /// `gateway` is asked; it is missing at once when it could not be.
  void expect(std::uint64_t id, GatewayKey gateway, bool asked);
  /// No more gateways are asked.
  void finish_asking(std::uint64_t id);
  /// Nobody can be asked: one missing answer of no gateway.
  void fail(std::uint64_t id);
  void answer(std::uint64_t id, GatewayKey gateway, std::string_view value);
  void unanswered(std::uint64_t id, GatewayKey gateway);
  /// Forgets it: nothing is called back.
  void cancel(std::uint64_t id);
  [[nodiscard]] std::size_t size() const { return open_.size(); }

 private:
  struct Question {
    OnAnswers done;
    Answers answers;
    std::size_t waiting = 0;
    bool all_asked = false;
    net::TimerId timer;
  };
  void settle(std::uint64_t id, Question& question);
  void complete(std::uint64_t id);

  net::Loop& loop_;
  const int timeout_ms_;
  std::unordered_map<std::uint64_t, Question> open_;
  std::uint64_t next_ = 1;
};

}  // namespace gatehouse::link
