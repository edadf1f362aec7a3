#include "application/operator_questions.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/log_level.h"

namespace gatehouse {
namespace {

using std::chrono::milliseconds;
using Json = nlohmann::ordered_json;

std::string text_of(const nlohmann::json& message, const char* key) {
  const auto found = message.find(key);
  return found != message.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<milliseconds> time_of(const nlohmann::json& message) {
  const auto found = message.find("milliseconds");
  if (found == message.end() || !found->is_number_unsigned()) return std::nullopt;
  return milliseconds(found->get<milliseconds::rep>());
}

std::string time_in_words(std::optional<milliseconds> time) {
  return time ? fmt::format("for {:.1f} s", static_cast<double>(time->count()) / 1000) : "until it is allowed";
}

}  // namespace

OperatorQuestions::OperatorQuestions(net::Loop& loop, master::Master& master, const Settings& settings)
    : loop_(loop),
      master_(master),
      settings_(settings),
      log_level_(loop, parse_log_level(settings.log_level).value_or(LogLevel::info),
                 [this](LogLevel level) { tell_level(level); }),
      denied_(loop, [this](const net::AddressRange& range) {
        loop_.log().info("{} is not denied any more: its time is over", range.to_string());
      }) {}

bool OperatorQuestions::answer(const std::string& question, const nlohmann::json& message,
                               const master::ControlSocket::Answer& answer) {
  if (question == "log level") {
    answer_log_level(message, answer);
  } else if (question == "deny") {
    deny(message, answer);
  } else if (question == "allow") {
    allow(message, answer);
  } else if (question == "denied") {
    answer({{"denied", denied_.list()}});
  } else if (question == "stop process") {
    stop_process(message, answer);
  } else if (question == "start process") {
    master_.start_process(text_of(message, "process"), answer);
  } else {
    return false;
  }
  return true;
}

std::vector<Json> OperatorQuestions::greeting() const {
  std::vector<Json> messages = denied_.messages();
  // It has the configured one from its own command line, also as that is read anew.
  if (log_level_.level() != log_level_.configured())
    messages.push_back({{"ask", "log level"}, {"level", to_string(log_level_.level())}});
  return messages;
}

void OperatorQuestions::reconfigure(const Settings& settings) {
  const LogLevel configured = parse_log_level(settings.log_level).value_or(LogLevel::info);
  if (configured != log_level_.configured()) return log_level_.configure(configured);
  if (log_level_.level() != configured) tell_level(log_level_.level());
}

void OperatorQuestions::describe(Json& status) const {
  log_level_.describe(status);
  status["denied_ranges"] = denied_.size();
}

void OperatorQuestions::tell_level(LogLevel level) {
  Log log = loop_.log();  // all copies write to the same place
  // The line about it stands in the log whatever the two levels are.
  log.set_level(LogLevel::info);
  log.info("the log level is {} from here on", to_string(level));
  log.set_level(level);
  master_.ask_all("log level", {{"level", to_string(level)}}, "", [](const auto&, const auto&) {});
}

void OperatorQuestions::answer_log_level(const nlohmann::json& message, const master::ControlSocket::Answer& answer) {
  if (message.contains("level")) {
    const auto level = parse_log_level(text_of(message, "level"));
    if (!level) return answer({{"error", "a log level is debug, info, warning or error"}});
    log_level_.set(*level, time_of(message));
  }
  Json out = Json::object();
  log_level_.describe(out);
  answer(out);
}

void OperatorQuestions::deny(const nlohmann::json& message, const master::ControlSocket::Answer& answer) {
  const auto range = net::AddressRange::parse(text_of(message, "range"));
  if (!range) return answer({{"error", range.error().message}});
  const std::optional<milliseconds> time = time_of(message);
  if (!denied_.add(*range, time)) {
    return answer({{"error", fmt::format("there are {} denied ranges already, and no more are kept; \"deny --list\" shows them, "
                                         "and fewer and wider ones do the same",
                                         master::DenyTable::kMostRanges)}});
  }
  const auto report = [this, text = range->to_string(), time, answer](const master::ChildQuestions::Answers& answers,
                                                                      const std::vector<std::string>& silent) {
    std::uint64_t cut = 0;
    for (const auto& [place, each] : answers) cut += each.value("cut", std::uint64_t{0});
    loop_.log().info("{} is denied {}; {} clients of it are disconnected", text, time_in_words(time), cut);
    answer({{"range", text}, {"cut", cut}, {"silent", silent}});
  };
  master_.ask_all("deny", master::DenyTable::message(*range, time), "gateway", report);
}

void OperatorQuestions::allow(const nlohmann::json& message, const master::ControlSocket::Answer& answer) {
  const auto range = net::AddressRange::parse(text_of(message, "range"));
  if (!range) return answer({{"error", range.error().message}});
  const std::string text = range->to_string();
  if (!denied_.remove(*range)) {
    const auto wider = denied_.covering(*range);
    return answer({{"error", wider ? fmt::format("{} is denied as a part of {}; allow that", text, wider->to_string())
                                   : fmt::format("{} is not denied; \"deny --list\" shows what is", text)}});
  }
  const auto report = [this, text, wider = denied_.covering(*range), answer](const auto&,
                                                                             const std::vector<std::string>& silent) {
    loop_.log().info("{} is allowed again", text);
    Json out = {{"range", text}, {"silent", silent}, {"still_within", nullptr}};
    if (wider) out["still_within"] = wider->to_string();
    answer(out);
  };
  master_.ask_all("allow", {{"ranges", Json::array({text})}}, "gateway", report);
}

void OperatorQuestions::stop_process(const nlohmann::json& message, const master::ControlSocket::Answer& answer) {
  const auto gracefully = message.find("gracefully");
  master_.stop_process(text_of(message, "process"), gracefully != message.end() && *gracefully == true,
                       time_of(message).value_or(settings_.graceful_timeout()), answer);
}

}  // namespace gatehouse
