#include "master/settings_takeover.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

namespace gatehouse::master {

void SettingsTakeover::give(const std::vector<const ProcessSpec*>& specs,
                            const std::function<void(const Outcome& outcome)>& done) {
  struct Gathering {
    Outcome outcome;
    std::size_t left = 1;  // this function itself
  };
  const auto gathering = std::make_shared<Gathering>();
  const auto finish_one = [gathering, done] {
    if (--gathering->left == 0) done(gathering->outcome);
  };
  for (const ProcessSpec* spec : specs) {
    std::vector<ChildQuestions::Receiver> receivers;
    std::vector<std::pair<std::size_t, std::string>> asked;
    for (std::size_t place = 0; place < processes_.size(); ++place) {
      const SupervisedProcess& process = processes_[place];
      if (process.spec != spec || !process.is_alive()) continue;
      receivers.push_back({place, process.control});
      asked.emplace_back(place, process.label());
    }
    const auto settings = nlohmann::ordered_json::parse(spec->settings, nullptr, false);
    if (receivers.empty() || !settings.is_object()) continue;
    ++gathering->left;
    const auto gather = [gathering, finish_one, asked](const ChildQuestions::Answers& answers) {
      for (const auto& [place, label] : asked) {
        const auto answer = answers.find(place);
        if (answer == answers.end()) {
          gathering->outcome.silent.push_back(label);
        } else if (answer->second.contains("error") && answer->second["error"].is_string()) {
          gathering->outcome.failure = label + ": " + answer->second["error"].get<std::string>();
        }
      }
      finish_one();
    };
    questions_.ask("configure", receivers, kTimeout, gather, {{"settings", settings}});
  }
  finish_one();
}

}  // namespace gatehouse::master
