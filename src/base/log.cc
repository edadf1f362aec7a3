#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <stdexcept>
#include <system_error>

#include "base/log_file.h"

namespace gatehouse {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

LogLevel from_spdlog(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug: return LogLevel::debug;
    case spdlog::level::info: return LogLevel::info;
    case spdlog::level::warn: return LogLevel::warning;
    default: return LogLevel::error;
  }
}

class FunctionSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit FunctionSink(std::function<void(LogLevel, std::string_view)> write) : write_(std::move(write)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    write_(from_spdlog(message.level), {message.payload.data(), message.payload.size()});
  }
  void flush_() override {}

  std::function<void(LogLevel, std::string_view)> write_;
};

/// Each line in one write(), so that the lines of several processes in one file stay whole. What cannot be written (a full disk)
/// is lost and counted; the next line that can be written stands behind one that says how many they were.
class DescriptorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  /// Standard error, which may be another file tomorrow.
  DescriptorSink() : fd_(STDERR_FILENO) {}
  /// Closes `fd` in the end. `path` is where it was opened.
  DescriptorSink(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~DescriptorSink() override {
    if (!path_.empty()) close(fd_);
  }
  DescriptorSink(const DescriptorSink&) = delete;
  DescriptorSink& operator=(const DescriptorSink&) = delete;

  Result<void> reopen() {
    if (path_.empty()) return {};
    const Result<int> fd = open_log_file(path_);
    if (!fd) return tl::unexpected(fd.error());
    close(std::exchange(fd_, *fd));
    torn_ = false;
    return {};
  }

  [[nodiscard]] const Log::Lost& lost() const { return lost_; }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if ((untold_ == 0 || tell()) && put(message)) return;
    ++lost_.lines;
    ++untold_;
  }
  void flush_() override {}

  bool tell() {
    const std::string text = fmt::format("{} lines of the log before this one could not be written: {}", untold_,
                                         std::generic_category().message(lost_.error));
    if (!put(spdlog::details::log_msg("", spdlog::level::warn, text))) return false;
    untold_ = 0;
    return true;
  }

  bool put(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    if (torn_) line.push_back('\n');
    formatter_->format(message, line);
    std::size_t done = 0;
    while (done < line.size()) {
      const ssize_t written = ::write(fd_, line.data() + done, line.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        lost_.error = written < 0 ? errno : ENOSPC;
        torn_ = torn_ || done > 0;
        return false;
      }
      done += static_cast<std::size_t>(written);
    }
    torn_ = false;
    return true;
  }

  int fd_;
  const std::string path_;
  Log::Lost lost_;
  std::uint64_t untold_ = 0;  // of the lost ones, those that no line has told of
  bool torn_ = false;         // the file ends in the middle of a line
};

void append_escaped(std::string& out, unsigned char c) { out += fmt::format("\\x{:02x}", c); }

/// The length of the UTF-8 sequence at the start of `text` (RFC 3629), 0 for bytes that are none.
std::size_t sequence_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if ((at(i) & 0xc0U) != 0x80U) return false;
    }
    return true;
  };
  const unsigned first = at(0);
  const unsigned second = at(1);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1, 2) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;  // overlong, surrogates
    return continues(1, 3) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;  // overlong, above U+10FFFF
    return continues(1, 4) ? 4 : 0;
  }
  return 0;
}

/// spdlog puts `%v` as it is, so a message must be made safe for its line (text) or its string (JSON) beforehand.
std::string escaped(std::string_view message, bool json) {
  std::string out;
  out.reserve(message.size());
  while (!message.empty()) {
    const auto c = static_cast<unsigned char>(message.front());
    std::size_t length = sequence_length(message);
    // U+0080 to U+009F are control characters too; a terminal may obey them.
    if (length == 2 && c == 0xc2 && static_cast<unsigned char>(message[1]) < 0xa0) length = 0;
    if (length == 0) {
      if (json) out += '\\';  // the backslash of \xNN, itself escaped
      append_escaped(out, c);
      length = 1;
    } else if (json && (c == '"' || c == '\\')) {
      out += '\\';
      out += message.front();
    } else if (c < 0x20 || c == 0x7f) {
      if (json) {
        out += fmt::format("\\u{:04x}", c);
      } else if (c == '\n') {
        out += "\n    ";  // a backtrace stays readable, and no peer can forge the start of a line
      } else {
        append_escaped(out, c);
      }
    } else {
      out.append(message.substr(0, length));
    }
    message.remove_prefix(length);
  }
  return out;
}

/// `%` starts a flag in a pattern.
std::string pattern_safe(std::string_view text) {
  std::string out;
  for (char c : text) out.append(c == '%' ? "%%" : std::string(1, c));
  return out;
}

void apply_pattern(spdlog::logger& logger, LogFormat format, const std::string& process) {
  if (format == LogFormat::json) {
    const std::string name = pattern_safe(escaped(process, true));
    logger.set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","process":")" + name + R"(","pid":%P,"message":"%v"})");
  } else {
    logger.set_pattern("%Y-%m-%d %H:%M:%S.%e %-7l " + pattern_safe(escaped(process, false)) + " [%P] %v");
  }
}

}  // namespace

struct Log::Shared {
  static std::shared_ptr<Shared> over(std::shared_ptr<DescriptorSink> sink, std::string_view name) {
    auto shared = std::make_shared<Shared>(sink, name);
    shared->file = std::move(sink);
    return shared;
  }

  Shared(spdlog::sink_ptr sink, std::string_view name) : logger("gatehouse", std::move(sink)), process(name) {}

  spdlog::logger logger;
  std::string process;
  std::shared_ptr<DescriptorSink> file = {};  // null for a log that goes to a function
  bool json = false;
};

Log::Log(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {
  shared_->logger.flush_on(spdlog::level::debug);
  set_format(LogFormat::text);
}

Log::Log(std::string_view process) : Log(Shared::over(std::make_shared<DescriptorSink>(), process)) {}

Log Log::to_file(const std::string& path, std::string_view process) {
  const Result<int> fd = open_log_file(path);
  if (!fd) throw std::runtime_error(fd.error().message);
  return Log(Shared::over(std::make_shared<DescriptorSink>(*fd, path), process));
}

Log::Lost Log::lost() const { return shared_->file == nullptr ? Lost{} : shared_->file->lost(); }

Result<void> Log::reopen() const { return shared_->file == nullptr ? Result<void>() : shared_->file->reopen(); }

Log Log::to_function(std::function<void(LogLevel, std::string_view)> write) {
  return Log(std::make_shared<Shared>(std::make_shared<FunctionSink>(std::move(write)), ""));
}

Log Log::silent() { return Log(std::make_shared<Shared>(std::make_shared<spdlog::sinks::null_sink_st>(), "")); }

void Log::set_level(LogLevel level) { shared_->logger.set_level(to_spdlog(level)); }

void Log::set_format(LogFormat format) {
  apply_pattern(shared_->logger, format, shared_->process);
  shared_->json = format == LogFormat::json;
}

bool Log::wants(LogLevel level) const { return shared_->logger.should_log(to_spdlog(level)); }

void Log::write(LogLevel level, std::string_view message) const {
  shared_->logger.log(to_spdlog(level), escaped(message, shared_->json));
}

std::string printable(std::string_view bytes, std::size_t limit) {
  std::string out;
  for (char raw : bytes.substr(0, limit)) {
    const auto c = static_cast<unsigned char>(raw);
    if (c >= 0x20 && c < 0x7f && c != '\\') {
      out += raw;
    } else {
      append_escaped(out, c);
    }
  }
  if (bytes.size() > limit) out += fmt::format("... ({} bytes)", bytes.size());
  return out;
}

}  // namespace gatehouse
