#include "master/child_questions.h"

#include <algorithm>

#include "master/json_lines.h"

namespace gatehouse::master {

ChildQuestions::~ChildQuestions() {
  for (const auto& [id, question] : questions_) loop_.cancel(question.timer);
}

void ChildQuestions::ask(const std::string& question, const std::vector<Receiver>& receivers, std::chrono::milliseconds timeout,
                         Done done, const nlohmann::ordered_json& details) {
  const std::uint64_t id = next_id_++;
  Question& asked = questions_[id];
  asked.done = std::move(done);
  for (const Receiver& receiver : receivers) {
    net::Connection* connection = loop_.find(receiver.control);
    if (connection == nullptr || !connection->is_open()) continue;
    nlohmann::ordered_json message = {{"ask", question}, {"id", id}};
    message.update(details);
    JsonLines::send(connection, message);
    asked.waiting.push_back(receiver.place);
  }
  if (asked.waiting.empty()) return finish(id);
  asked.timer = loop_.after(timeout, [this, id] { finish(id); });
}

void ChildQuestions::on_answer(std::size_t place, const nlohmann::json& message) {
  const auto id = message.find("id");
  const auto answer = message.find("answer");
  if (id == message.end() || !id->is_number_unsigned() || answer == message.end()) return;
  const auto found = questions_.find(id->get<std::uint64_t>());
  if (found == questions_.end()) return;
  if (answer->is_object()) found->second.answers[place] = *answer;
  stop_waiting(found->first, place);
}

void ChildQuestions::forget(std::size_t place) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, question] : questions_) ids.push_back(id);
  for (const std::uint64_t id : ids) stop_waiting(id, place);
}

void ChildQuestions::stop_waiting(std::uint64_t id, std::size_t place) {
  Question& question = questions_.at(id);
  if (std::erase(question.waiting, place) > 0 && question.waiting.empty()) finish(id);
}

void ChildQuestions::finish(std::uint64_t id) {
  // Taken out first: `done` may ask again.
  const auto node = questions_.extract(id);
  loop_.cancel(node.mapped().timer);
  node.mapped().done(node.mapped().answers);
}

}  // namespace gatehouse::master
