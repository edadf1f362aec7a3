#include "link/questions.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace gatehouse::link {

Questions::~Questions() {
  for (auto& [id, question] : open_) loop_.cancel(question.timer);
}

std::uint64_t Questions::open(OnAnswers done, int timeout_ms) {
  const std::uint64_t id = next_++;
  Question& question = open_[id];
  question.done = std::move(done);
  question.timer = loop_.after(std::chrono::milliseconds(timeout_ms), [this, id] { complete(id); });
  return id;
}

void Questions::restart(std::uint64_t id, int timeout_ms) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  loop_.cancel(found->second.timer);
  found->second.timer = loop_.after(std::chrono::milliseconds(timeout_ms), [this, id] { complete(id); });
}

void Questions::expect(std::uint64_t id, GatewayKey gateway, bool asked) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  found->second.answers.push_back({gateway, false, {}});
  if (asked) ++found->second.waiting;
}

void Questions::finish_asking(std::uint64_t id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  Question& question = found->second;
  question.all_asked = true;
  if (question.waiting > 0) return;
  // Nobody to wait for. Whoever asked is not ready to hear it within his call.
  loop_.cancel(question.timer);
  question.timer = loop_.after(std::chrono::milliseconds(0), [this, id] { complete(id); });
}

void Questions::fail(std::uint64_t id) {
  expect(id, {}, false);
  finish_asking(id);
}

void Questions::answer(std::uint64_t id, GatewayKey gateway, std::string_view value) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  for (GatewayAnswer& each : found->second.answers) {
    if (each.gateway != gateway) continue;
    each.answered = true;
    each.value = value;
  }
  settle(id, found->second);
}

void Questions::unanswered(std::uint64_t id, GatewayKey /*gateway*/) {
  const auto found = open_.find(id);
  if (found != open_.end()) settle(id, found->second);
}

void Questions::settle(std::uint64_t id, Question& question) {
  if (question.waiting > 0) --question.waiting;
  if (question.waiting == 0 && question.all_asked) complete(id);
}

void Questions::complete(std::uint64_t id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  // Out of the table first: the callback may ask again, or end everything.
  Question question = std::move(found->second);
  open_.erase(found);
  loop_.cancel(question.timer);
  if (!question.all_asked) question.answers.emplace_back();
  question.done(std::move(question.answers));
}

void Questions::cancel(std::uint64_t id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  loop_.cancel(found->second.timer);
  open_.erase(found);
}

}  // namespace gatehouse::link
