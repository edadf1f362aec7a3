#include "php_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "php_source.h"

namespace gatehouse::php {
namespace {

using Kind = Token::Kind;

std::string last_segment(std::string_view name) { return std::string(name.substr(name.rfind('\\') + 1)); }

std::string lowered(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// The right side of an assignment, or an argument.
struct Value {
  std::vector<Token> tokens;
  int line = 0;

  [[nodiscard]] std::optional<std::string> string() const {
    return tokens.size() == 1 && tokens[0].kind == Kind::string ? std::optional(tokens[0].text) : std::nullopt;
  }
  /// Also a product, as in 10 * 1024 * 1024.
  [[nodiscard]] std::optional<std::uint64_t> number() const {
    std::uint64_t product = 1;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const bool is_factor = i % 2 == 0;
      if (is_factor ? tokens[i].kind != Kind::number || tokens[i].text.size() > 12 : !tokens[i].is("*")) return std::nullopt;
      if (is_factor && __builtin_mul_overflow(product, std::stoull(tokens[i].text), &product)) return std::nullopt;
    }
    return tokens.size() % 2 == 1 ? std::optional(product) : std::nullopt;
  }
  /// One string, or an array of nothing else.
  [[nodiscard]] std::optional<std::vector<std::string>> strings() const {
    if (const auto one = string()) return std::vector{*one};
    std::vector<std::string> out;
    const std::size_t start = !tokens.empty() && tokens[0].is_name("array") ? 2 : 1;
    if (tokens.size() < start + 1 || !(tokens[start - 1].is("[") || tokens[start - 1].is("("))) return std::nullopt;
    for (std::size_t i = start; i + 1 < tokens.size(); ++i) {
      if ((i - start) % 2 == 0 ? tokens[i].kind != Kind::string : !tokens[i].is(",")) return std::nullopt;
      if (tokens[i].kind == Kind::string) out.push_back(tokens[i].text);
    }
    return out;
  }
  /// For a message: a few words of it.
  [[nodiscard]] std::string shown() const {
    std::string out;
    for (const Token& token : tokens) {
      if (out.size() > 40) return out + "...";
      out += (token.kind == Kind::variable ? "$" : "") + token.text;
    }
    return out;
  }
};

struct Setting {
  const char* php;
  const char* toml;
  enum class Type { string, strings, number, seconds } type;
};
constexpr std::array kSettings = {
    Setting{"name", "name", Setting::Type::string},
    Setting{"count", "count", Setting::Type::number},
    Setting{"lanip", "lan_ip", Setting::Type::string},
    Setting{"startport", "start_port", Setting::Type::number},
    Setting{"innertcpworkerlisten", "inner_listen", Setting::Type::string},
    Setting{"registeraddress", "register", Setting::Type::strings},
    Setting{"secretkey", "secret_key", Setting::Type::string},
    Setting{"pinginterval", "ping_interval", Setting::Type::seconds},
    Setting{"pingnotresponselimit", "ping_not_response_limit", Setting::Type::number},
    Setting{"pingdata", "ping_data", Setting::Type::string},
    Setting{"sendtoclientbuffersize", "send_to_client_buffer_size", Setting::Type::number},
    Setting{"sendtoworkerbuffersize", "send_to_worker_buffer_size", Setting::Type::number},
};

std::optional<std::string> translated(const Setting& setting, const Value& value) {
  switch (setting.type) {
    case Setting::Type::string:
      if (const auto text = value.string()) return toml_string(*text);
      break;
    case Setting::Type::strings:
      if (const auto texts = value.strings()) {
        std::string list;
        for (const std::string& each : *texts) list += (list.empty() ? "" : ", ") + toml_string(each);
        return "[" + list + "]";
      }
      break;
    case Setting::Type::number:
      if (const auto number = value.number()) return std::to_string(*number);
      break;
    case Setting::Type::seconds:
      if (const auto number = value.number()) return fmt::format("\"{}s\"", *number);
      break;
  }
  return std::nullopt;
}

class Reader {
 public:
  explicit Reader(std::string_view source) : tokens_(tokenize(source)) {}

  StartFile run() {
    find_classes();
    for (at_ = 0; at_ < tokens_.size(); ++at_) statement();
    write_toml();
    return std::move(out_);
  }

 private:
  /// What a variable holds: an object of one of upstream's classes.
  struct Object {
    std::string kind;  // "gateway" or "register"
    int line = 0;
    std::string scheme;  // of a gateway, lower case; empty when it could not be read
    std::string address;
    bool is_encrypted = false;
    std::map<std::string, std::string> settings;  // in TOML
  };

  [[nodiscard]] bool at(std::size_t ahead, std::string_view mark) const {
    return at_ + ahead < tokens_.size() && tokens_[at_ + ahead].is(mark);
  }
  [[nodiscard]] const Token* token(std::size_t ahead, Kind kind) const {
    return at_ + ahead < tokens_.size() && tokens_[at_ + ahead].kind == kind ? &tokens_[at_ + ahead] : nullptr;
  }

  /// The names under which upstream's Gateway and Register are known: by `use ... as`, and classes that derive from them.
  void find_classes() {
    for (std::size_t i = 0; i + 3 < tokens_.size(); ++i) {
      if (tokens_[i].is_name("use") && tokens_[i + 1].kind == Kind::name && tokens_[i + 2].is_name("as"))
        aliases_[lowered(tokens_[i + 3].text)] = lowered(last_segment(tokens_[i + 1].text));
    }
    for (std::size_t i = 0; i + 3 < tokens_.size(); ++i) {
      if (!tokens_[i].is_name("class") || !tokens_[i + 2].is_name("extends")) continue;
      const std::string parent = kind_of(tokens_[i + 3].text);
      if (parent.empty()) continue;
      aliases_[lowered(tokens_[i + 1].text)] = parent;
      if (parent == "gateway")
        lose(tokens_[i].line,
             "class " + tokens_[i + 1].text + " extends Gateway: what it overrides runs in PHP's gateway process");
    }
  }
  /// "gateway", "register", or "" for what is of no concern.
  [[nodiscard]] std::string kind_of(std::string_view name) const {
    std::string last = lowered(last_segment(name));
    if (const auto alias = aliases_.find(last); alias != aliases_.end()) last = alias->second;
    return last == "gateway" || last == "register" ? last : "";
  }

  void lose(int line, std::string text) { out_.lost.push_back({line, std::move(text)}); }
  void note(int line, std::string text) { out_.notes.push_back({line, std::move(text)}); }

  /// The tokens up to `end` or a comma, outside of brackets.
  Value take_value(std::size_t from, bool is_argument) {
    Value value;
    value.line = from < tokens_.size() ? tokens_[from].line : 0;
    int depth = 0;
    for (std::size_t i = from; i < tokens_.size(); ++i) {
      const Token& each = tokens_[i];
      const bool opens = each.is("(") || each.is("[") || each.is("{");
      const bool closes = each.is(")") || each.is("]") || each.is("}");
      if (depth == 0 && (each.is(";") || closes || (is_argument && each.is(",")))) break;
      depth += opens ? 1 : closes ? -1 : 0;
      value.tokens.push_back(each);
    }
    return value;
  }

  void statement() {
    const Token& first = tokens_[at_];
    if (first.is_name("new") && token(1, Kind::name) != nullptr) return make();
    if (first.kind == Kind::variable && at(1, "->") && token(2, Kind::name) != nullptr && at(3, "=")) {
      const auto object = variables_.find(first.text);
      if (object != variables_.end()) return assign(objects_[object->second], tokens_[at_ + 2], take_value(at_ + 4, false));
      // The way of upstream's manual: on the connection, within the gateway's onConnect.
      const std::string key = lowered(tokens_[at_ + 2].text);
      if (key.starts_with("onwebsocket")) lose_callback(tokens_[at_ + 2], key, {});
    } else if (first.kind == Kind::name && at(1, "::") && token(2, Kind::variable) != nullptr && at(3, "=")) {
      assign_static(lowered(last_segment(first.text)), tokens_[at_ + 2], take_value(at_ + 4, false));
    }
  }

  /// `new Gateway("websocket://...")`, as a rule behind `$gateway =`.
  void make() {
    const std::string kind = kind_of(tokens_[at_ + 1].text);
    if (kind.empty()) return;
    Object object{.kind = kind, .line = tokens_[at_].line, .scheme = {}, .address = {}, .settings = {}};
    const Value address = at(2, "(") ? take_value(at_ + 3, true) : Value{};
    if (const auto text = address.string()) {
      const std::size_t end = text->find("://");
      object.scheme = lowered(text->substr(0, end));
      object.address = end == std::string::npos ? "" : text->substr(end + 3);
    } else {
      note(object.line,
           fmt::format("the address of this {} is made when it runs ({}); fill in `listen` yourself", kind, address.shown()));
    }
    const std::array<std::string_view, 4> known = {"websocket", "text", "frame", "tcp"};
    if (kind == "gateway" && !object.scheme.empty() && std::find(known.begin(), known.end(), object.scheme) == known.end())
      lose(object.line,
           fmt::format("{}:// is a protocol class of your own: write it as a gatehouse::Protocol, in a program of your own "
                       "(Application::add_protocol)",
                       object.scheme));
    const bool is_assigned = at_ >= 2 && tokens_[at_ - 1].is("=") && tokens_[at_ - 2].kind == Kind::variable;
    if (is_assigned) variables_[tokens_[at_ - 2].text] = objects_.size();
    objects_.push_back(std::move(object));
  }

  void assign(Object& object, const Token& name, const Value& value) {
    const std::string key = lowered(name.text);
    if (object.kind == "gateway" && (key.starts_with("on") || key == "router" || key == "protocol"))
      return lose_callback(name, key, value);
    if (key == "transport") {
      object.is_encrypted = value.string() == "ssl";
      if (object.is_encrypted)
        note(name.line, "TLS: fill in tls_cert and tls_key with the local_cert and local_pk of the context");
      return;
    }
    const auto* const setting =
        std::find_if(kSettings.begin(), kSettings.end(), [&](const Setting& each) { return key == each.php; });
    if (setting == kSettings.end()) {
      if (object.kind == "gateway")
        note(name.line, name.text + " has no counterpart here, or another place; see the table of settings");
      return;
    }
    if (object.kind == "register" && key != "secretkey") return;
    if (const auto text = translated(*setting, value)) {
      object.settings[setting->toml] = *text;
    } else {
      note(name.line,
           fmt::format("{} is made when it runs ({}); fill in `{}` yourself", name.text, value.shown(), setting->toml));
    }
  }

  void lose_callback(const Token& name, const std::string& key, const Value& value) {
    if (key == "router") {
      const bool is_random = value.shown().find("routerRand") != std::string::npos;
      if (is_random) return note(name.line, "router: write router = \"random\"");
      return lose(name.line,
                  "router is a function that runs in PHP's gateway process: give GatewayOptions::router one of your own");
    }
    if (key == "protocol")
      return lose(name.line, "a protocol class: write it as a gatehouse::Protocol, in a program of your own");
    const bool may_keep_out =
        key == "onconnect" || key == "onwebsocketconnect" || key == "onwebsocketconnected" || key == "onmessage";
    lose(name.line, name.text + " runs in PHP's gateway process, and nowhere after the change" +
                        (may_keep_out ? ": a client that it keeps out (close, a wrong token or Origin) would be let in" : ""));
  }

  void assign_static(const std::string& of, const Token& name, const Value& value) {
    const std::string key = lowered(name.text);
    const auto number = value.number();
    if (of == "tcpconnection" && key == "defaultmaxpackagesize" && number) max_package_size_ = *number;
    if (kind_of(of) == "gateway" && key == "selectloadbalancingmode")
      note(name.line, "selectLoadBalancingMode: write select_load_balancing_mode = \"least_connections\" or \"random\"");
  }

  void write_toml() {
    for (const Object& object : objects_) {
      if (object.kind == "register") {
        out_.toml += "[register]\n";
        out_.toml += fmt::format("listen = \"text://{}\"\n", object.address.empty() ? "?" : object.address);
      } else {
        const std::string base = object.scheme.empty() ? "?" : object.scheme;
        const std::string scheme = !object.is_encrypted ? base : base == "websocket" ? "wss" : base + "+tls";
        out_.toml += "[[gateway]]\n";
        out_.toml += "listen = " + toml_string(scheme + "://" + (object.address.empty() ? "?" : object.address)) + "\n";
      }
      for (const Setting& setting : kSettings) {
        const auto found = object.settings.find(setting.toml);
        if (found != object.settings.end()) out_.toml += fmt::format("{} = {}\n", setting.toml, found->second);
      }
      if (object.kind == "gateway") out_.toml += fmt::format("max_package_size = {}\n", max_package_size_);
      out_.toml += "\n";
    }
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::map<std::string, std::string> aliases_;    // of classes, lower case, to what they are
  std::map<std::string, std::size_t> variables_;  // to their places among the objects
  std::vector<Object> objects_;
  std::uint64_t max_package_size_ = 10'485'760;  // Workerman's default
  StartFile out_;
};

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

}  // namespace

StartFile read_start_file(std::string_view source) { return Reader(source).run(); }

int check_start_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream source;
  if (!file || !(source << file.rdbuf())) {
    std::fputs(fmt::format("gatehouse: cannot read {}\n", path).c_str(), stderr);
    return 1;
  }
  const StartFile read = read_start_file(source.str());
  if (read.toml.empty() && read.lost.empty()) {
    std::fputs(fmt::format("{}: no new Gateway(...) and no new Register(...) in this file; give the file that makes them\n", path)
                   .c_str(),
               stderr);
    return 1;
  }
  for (const StartFile::Finding& each : read.lost) print(fmt::format("{}:{}: LOST: {}\n", path, each.line, each.text));
  for (const StartFile::Finding& each : read.notes) print(fmt::format("{}:{}: note: {}\n", path, each.line, each.text));
  if (!read.lost.empty()) {
    print(
        "What is LOST has to be done elsewhere before the change: docs/migrating-from-gatewayworker.md, \"Checks in the PHP "
        "gateway\".\n");
  }
  if (!read.toml.empty()) print("\n# As gatehouse.toml:\n" + read.toml);
  return read.lost.empty() ? 0 : 1;
}

}  // namespace gatehouse::php
