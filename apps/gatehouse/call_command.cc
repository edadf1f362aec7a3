#include "call_command.h"

#include <fmt/format.h>
#include <gatehouse/gateway_client.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <optional>
#include <stdexcept>

#include "application/nearest_name.h"
#include "base/duration.h"
#include "call_output.h"
#include "call_table.h"
#include "config_file.h"

namespace gatehouse::call {
namespace {

using std::chrono::milliseconds;

constexpr const char* kSecretVariable = "GATEHOUSE_SECRET_KEY";

/// A mistake on the command line, in one sentence.
class Misuse : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Line {
  std::vector<std::string> words;  // the call's name and its arguments
  std::vector<std::string> registers;
  std::vector<std::string> except;
  std::string latest_key;
  std::string secret_key;
  std::string config;
  InnerTls inner_tls;
  std::string timeout = "5s";
  bool json = false;
  bool raw = false;
  bool binary = false;
  bool verbose = false;
  bool help = false;
};

void define(CLI::App& app, Line& line) {
  app.set_help_flag();
  app.add_option("words", line.words);
  app.add_option("--register", line.registers)->allow_extra_args(false);
  app.add_option("--except", line.except)->allow_extra_args(false);
  app.add_option("--latest-key", line.latest_key);
  app.add_option("--secret-key", line.secret_key);
  app.add_option("-c,--config", line.config);
  app.add_option("--inner-tls-ca", line.inner_tls.ca);
  app.add_option("--inner-tls-cert", line.inner_tls.cert);
  app.add_option("--inner-tls-key", line.inner_tls.key);
  app.add_option("--inner-tls-name", line.inner_tls.name);
  app.add_option("--timeout", line.timeout);
  app.add_flag("--json", line.json);
  app.add_flag("--raw", line.raw);
  app.add_flag("--binary", line.binary);
  app.add_flag("-v,--verbose", line.verbose);
  app.add_flag("-h,--help", line.help);
}

constexpr std::string_view kOptions = R"(Options:
  --register IP:PORT    a register of the cluster; may be repeated (default 127.0.0.1:1236)
  --secret-key KEY      the cluster's secret; better in the environment, as GATEHOUSE_SECRET_KEY, where nobody can list it
  -c, --config FILE     take the register, the secret and inner_tls from the configuration of its gateways
  --inner-tls-ca FILE   of a cluster with inner_tls; with --inner-tls-cert FILE and --inner-tls-key FILE
  --inner-tls-name NAME the name that its certificates have, where it has inner_tls_name
  --timeout DURATION    how long the gateways have to answer, as in 5s, 500ms (default 5s)
  --json                print one JSON document
  --except CLIENT_ID    of messages: a client that does not get it; may be repeated
  --latest-key KEY      of messages: what it tells, for gateways that keep only the latest of each key for slow clients
  --raw                 of messages: send the bytes as they are, without the framing of the client's protocol
  --binary              of messages and last words: as a binary WebSocket message
  -v, --verbose         say on standard error what happens to the connections
)";

constexpr std::string_view kNotes =
    R"(DATA is text; "-" takes it from the standard input. What begins with a dash stands behind "--".
An answer is printed as one value per line, "name TAB value" where values have names.
The exit status is 0 when every gateway has done or answered it, 1 when one has not (it is named), 2 for a mistake in the command.

Examples:
  gatehouse call client_count
  gatehouse call send_to_group room 'hello'
  gatehouse call send_to_group room hall --except 7f00000108fc0000002a 'hello, both rooms'
  gatehouse call --binary send_to_uid 42 - < picture.png
  gatehouse call --json sessions_by_group room
  gatehouse call -c gatehouse.toml close_uid 42 'signed in elsewhere'
)";

Line parse(const std::vector<std::string>& words) {
  Line line;
  CLI::App app;
  define(app, line);
  std::vector<std::string> reversed(words.rbegin(), words.rend());  // as CLI11 takes them
  try {
    app.parse(reversed);
  } catch (const CLI::ExtrasError&) {
    const auto bad = std::find_if(words.begin(), words.end(), [&](const std::string& word) {
      return word.size() > 1 && word.starts_with('-') && app.get_option_no_throw(word.substr(0, word.find('='))) == nullptr;
    });
    if (bad == words.end()) throw Misuse("there is an option that is not known");
    std::vector<std::string> known;
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
    throw Misuse(fmt::format("unknown option \"{}\"{} (an argument that begins with a dash stands behind \"--\")", *bad,
                             did_you_mean(*bad, known)));
  } catch (const CLI::ParseError& error) {
    throw Misuse(error.what());
  }
  return line;
}

/// Where a register that listens on "text://0.0.0.0:1236" is reached from the same machine.
std::string reachable(const std::string& listen) {
  std::string address = listen.substr(listen.find("://") == std::string::npos ? 0 : listen.find("://") + 3);
  if (address.starts_with("0.0.0.0:")) return "127.0.0.1" + address.substr(address.rfind(':'));
  if (address.starts_with("[::]:")) return "[::1]" + address.substr(address.rfind(':'));
  return address;
}

GatewayClientOptions client_options(const Line& line) {
  GatewayClientOptions options;
  if (!line.config.empty()) {
    const auto file = config::ConfigFile::load(line.config);
    if (!file) throw Misuse(file.error().message);
    const Program& program = file->program();
    if (!program.registers.empty()) {
      options.register_addresses = {reachable(program.registers.front().listen)};
      options.secret_key = program.registers.front().secret_key;
      options.inner_tls = program.registers.front().inner_tls;
    } else {
      options.register_addresses = program.gateways.front().register_addresses;
      options.secret_key = program.gateways.front().secret_key;
      options.inner_tls = program.gateways.front().inner_tls;
    }
  }
  if (const char* secret = std::getenv(kSecretVariable)) options.secret_key = secret;
  if (!line.secret_key.empty()) options.secret_key = line.secret_key;
  if (line.inner_tls.is_set()) options.inner_tls = line.inner_tls;
  if (!line.registers.empty()) options.register_addresses = line.registers;

  std::optional<milliseconds> timeout = parse_duration(line.timeout);
  if (!timeout) timeout = parse_duration(line.timeout + "s");
  if (!timeout || *timeout <= milliseconds(0))
    throw Misuse(fmt::format("--timeout: a duration such as 5s is wanted, not \"{}\"", line.timeout));
  options.question_timeout = *timeout;
  options.connect_timeout = std::min(options.connect_timeout, *timeout);
  if (line.verbose) {
    options.log = [](std::string_view level, std::string_view message) {
      std::fputs(fmt::format("{}: {}\n", level, message).c_str(), stderr);
    };
  }
  return options;
}

const Call& chosen(const Line& line) {
  if (line.words.empty()) throw Misuse("which call? \"gatehouse call --help\" lists them");
  const Call* call = find_call(line.words.front());
  if (call == nullptr)
    throw Misuse(fmt::format("unknown call \"{}\"{}", line.words.front(), did_you_mean(line.words.front(), call_names())));
  return *call;
}

Arguments arguments_of(const Call& call, const Line& line) {
  auto words = distribute(call, {line.words.begin() + 1, line.words.end()});
  if (!words) throw Misuse(fmt::format("{}: {}", call.name, words.error().message));
  const bool sends = call.kind == Kind::message;
  if (!sends && !line.except.empty()) throw Misuse(fmt::format("--except is for messages, which {} is not", call.name));
  if (!sends && !line.latest_key.empty()) throw Misuse(fmt::format("--latest-key is for messages, which {} is not", call.name));
  if (!sends && line.raw) throw Misuse(fmt::format("--raw is for messages, which {} is not", call.name));
  if (!sends && call.kind != Kind::closing && line.binary) throw Misuse(fmt::format("--binary: {} sends nothing", call.name));
  for (std::size_t i = 0; i < words->size(); ++i) {
    if (!call.is_data(i) || (*words)[i] != std::vector<std::string>{"-"}) continue;
    (*words)[i] = {std::string(std::istreambuf_iterator<char>(std::cin), {})};
  }
  return {.words = std::move(*words),
          .options = {.except = line.except, .raw = line.raw, .latest_key = line.latest_key},
          .binary = line.binary};
}

int complain(const std::string& line, int status) {
  std::fputs(("gatehouse call: " + line + "\n").c_str(), stderr);
  return status;
}

int carry_out(const Call& call, const Line& line) {
  const Arguments arguments = arguments_of(call, line);
  const GatewayClientOptions options = client_options(line);
  const milliseconds timeout = options.question_timeout;
  GatewayClient client(options);
  const Value answer = call.run(client, arguments);
  if (call.kind != Kind::question) client.flush(timeout);
  const std::string text = line.json                     ? as_json(answer)
                           : call.kind == Kind::question ? as_text(answer, call.one_value)
                                                         : std::string();
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kDone;
}

void add_calls(std::string& text, bool questions) {
  std::size_t width = 0;
  for (const Call& call : all_calls()) width = std::max(width, call.usage().size());
  for (const Call& call : all_calls()) {
    if ((call.kind == Kind::question) == questions) text += fmt::format("  {:<{}}  {}\n", call.usage(), width, call.help);
  }
}

}  // namespace

std::string call_help() {
  std::string text =
      "gatehouse call NAME [ARGUMENTS] [OPTIONS]: commands to a running cluster, and questions to it\n\nCommands:\n";
  add_calls(text, false);
  text += "\nQuestions:\n";
  add_calls(text, true);
  return text.append("\n").append(kOptions).append("\n").append(kNotes);
}

std::vector<std::string> words_of_call(int argc, const char* const* argv) {
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  std::size_t at = 0;
  // Only the options that both the program and its command know may come before.
  while (at < words.size() && words[at] != "call") {
    const bool has_value = words[at] == "-c" || words[at] == "--config";
    if (!has_value && !words[at].starts_with("--config=")) return {};
    at += has_value ? 2 : 1;
  }
  if (at >= words.size()) return {};
  std::vector<std::string> out(words.begin(), words.end());
  out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
  if (out.empty()) out.emplace_back("--help");
  return out;
}

int run_call(const std::vector<std::string>& words) {
  try {
    const Line line = parse(words);
    if (line.help) {
      const std::string text =
          line.words.empty() ? call_help()
                             : fmt::format("gatehouse call {}\n\n{}\n\n{}", chosen(line).usage(), chosen(line).help, kOptions);
      std::fputs(text.c_str(), stdout);
      return kDone;
    }
    return carry_out(chosen(line), line);
  } catch (const Misuse& error) {
    return complain(error.what(), kMisused);
  } catch (const std::invalid_argument& error) {
    return complain(error.what(), kMisused);
  } catch (const Error& error) {
    return complain(error.what(), kFailed);
  }
}

}  // namespace gatehouse::call
