#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "net/loop.h"

namespace gatehouse::master {

/// Questions that the master asks all its children at once, each with a deadline: `done` gets whatever answers came by then.
///
/// Thread rule: the loop's thread.
class ChildQuestions {
 public:
  /// Answers by the child's place in the master's table; one that did not answer is missing.
  using Answers = std::map<std::size_t, nlohmann::json>;
  using Done = std::function<void(const Answers& answers)>;
  struct Receiver {
    std::size_t place = 0;
    net::ConnectionId control;
  };

  explicit ChildQuestions(net::Loop& loop) : loop_(loop) {}
  ~ChildQuestions();
  ChildQuestions(const ChildQuestions&) = delete;
  ChildQuestions& operator=(const ChildQuestions&) = delete;

  /// `done` is called in any case, once; at once when nobody is asked.
  /// `details` are further keys of the message.
  void ask(const std::string& question, const std::vector<Receiver>& receivers, std::chrono::milliseconds timeout, Done done,
           const nlohmann::ordered_json& details = nlohmann::ordered_json::object());
  /// A message of the child at `place` that has an "id". An answer to no question (any more) is ignored.
  void on_answer(std::size_t place, const nlohmann::json& message);
  /// The child at `place` ended: nobody waits for it any longer.
  void forget(std::size_t place);

 private:
  struct Question {
    std::vector<std::size_t> waiting;
    Answers answers;
    Done done;
    net::TimerId timer;
  };
  void stop_waiting(std::uint64_t id, std::size_t place);
  void finish(std::uint64_t id);

  net::Loop& loop_;
  std::map<std::uint64_t, Question> questions_;
  std::uint64_t next_id_ = 1;
};

}  // namespace gatehouse::master
