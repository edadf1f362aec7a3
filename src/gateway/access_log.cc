#include "gateway/access_log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/log_file.h"

namespace gatehouse::gateway {
namespace {

constexpr std::uint64_t kQuietMs = 10'000;  // between warnings about lines that were lost

const char* to_string(CloseReason::Cause cause) {
  using enum CloseReason::Cause;
  switch (cause) {
    case unknown: return "unknown";
    case client_closed: return "client_closed";
    case connection_lost: return "connection_lost";
    case heartbeat: return "heartbeat";
    case closed: return "closed";
    case destroyed: return "destroyed";
    case protocol_error: return "protocol_error";
    case too_big: return "too_big";
    case slow_consumer: return "slow_consumer";
    case timeout: return "timeout";
    case shutdown: return "shutdown";
    case undeliverable: return "undeliverable";
    case denied: return "denied";
  }
  return "unknown";
}

/// What a peer or the business said, as one word in quotes.
std::string in_quotes(std::string_view bytes) {
  std::string out = "\"";
  for (const char c : printable(bytes)) out += c == '"' ? std::string("\\x22") : std::string(1, c);
  return out + "\"";
}

Result<int> open_file(const std::string& path) {
  const Result<int> fd = open_log_file(path);
  // What is no plain file must not hold the loop up: what it does not take at once is lost.
  if (fd) (void)fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

}  // namespace

Result<std::unique_ptr<AccessLog>> AccessLog::open(net::Loop& loop, Settings settings) {
  const Result<int> fd = open_file(settings.path);
  if (!fd) return tl::unexpected(fd.error());
  return std::unique_ptr<AccessLog>(new AccessLog(loop, std::move(settings), *fd));
}

AccessLog::AccessLog(net::Loop& loop, Settings settings, int fd) : loop_(loop), settings_(std::move(settings)), file_(fd) {}

AccessLog::~AccessLog() {
  for (const auto& [slot, ended] : departed_) write_end(ended, loop_.find(ended.connection));
  flush();
}

std::string_view AccessLog::time_text() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec != second_of_) {
    second_of_ = now.tv_sec;
    const std::tm local = fmt::localtime(now.tv_sec);
    second_ = fmt::format("{:%Y-%m-%d %H:%M:%S}", local);
    if (settings_.format == LogFormat::json) {
      second_[10] = 'T';
      second_ += fmt::format("{:%z}", local);
      second_.insert(second_.size() - 2, ":");
    }
  }
  constexpr std::size_t kSeconds = 19;  // "2026-11-21 10:00:00"
  time_.assign(second_, 0, kSeconds);
  fmt::format_to(std::back_inserter(time_), ".{:03}", now.tv_nsec / 1'000'000);
  time_.append(second_, kSeconds);
  return time_;
}

void AccessLog::connected(std::uint32_t client, std::uint32_t id, const net::Connection& connection) {
  if (client >= begun_ms_.size()) begun_ms_.resize(std::max<std::size_t>(client + 1, begun_ms_.size() * 2));
  begun_ms_[client] = loop_.now_ms();
  const std::string address = connection.peer().to_string();
  if (settings_.format == LogFormat::json) {
    const nlohmann::ordered_json line = {{"time", time_text()}, {"process", settings_.process}, {"pid", getpid()},
                                         {"event", "connect"},  {"client_id", client_id_(id)},  {"address", address}};
    return add_line(line.dump());
  }
  add_line(fmt::format("{} {} [{}] connect {} {}", time_text(), settings_.process, getpid(), client_id_(id), address));
}

void AccessLog::departed(std::uint32_t client, std::uint32_t id, const CloseReason& reason, std::string_view uid,
                         const net::Connection* connection) {
  Ended ended{
      .connection = {}, .client_id = client_id_(id), .begun_ms = begun_ms_[client], .reason = reason, .uid = std::string(uid)};
  if (connection == nullptr) return write_end(ended, nullptr);
  ended.connection = connection->id();
  departed_.insert_or_assign(ended.connection.slot, std::move(ended));
}

void AccessLog::closed(const net::Connection& connection) {
  const auto found = departed_.find(connection.id().slot);
  if (found == departed_.end()) return;
  write_end(found->second, &connection);
  departed_.erase(found);
}

void AccessLog::write_end(const Ended& ended, const net::Connection* connection) {
  const double seconds = static_cast<double>(loop_.now_ms() - ended.begun_ms) / 1000;
  const std::string address = connection == nullptr ? "-" : connection->peer().to_string();
  const std::uint64_t in = connection == nullptr ? 0 : connection->bytes_received();
  const std::uint64_t out = connection == nullptr ? 0 : connection->bytes_sent();
  const CloseReason& reason = ended.reason;
  if (settings_.format == LogFormat::json) {
    nlohmann::ordered_json line = {{"time", time_text()},
                                   {"process", settings_.process},
                                   {"pid", getpid()},
                                   {"event", "end"},
                                   {"client_id", ended.client_id},
                                   {"address", address},
                                   {"reason", to_string(reason.cause)},
                                   {"code", reason.code},
                                   {"text", reason.text},
                                   {"duration", seconds},
                                   {"bytes_in", in},
                                   {"bytes_out", out},
                                   {"uid", ended.uid}};
    return add_line(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  std::string line = fmt::format("{} {} [{}] end {} {} {}", time_text(), settings_.process, getpid(), ended.client_id, address,
                                 to_string(reason.cause));
  if (reason.code != 0) line += fmt::format(" code={}", reason.code);
  line += fmt::format(" duration={:.3f} in={} out={}", seconds, in, out);
  if (!ended.uid.empty()) line += " uid=" + in_quotes(ended.uid);
  if (!reason.text.empty()) line += " text=" + in_quotes(reason.text);
  add_line(line);
}

void AccessLog::add_line(std::string_view text) {
  lines_ += text;
  lines_ += '\n';
  if (lines_.size() >= kGathered) flush();
}

void AccessLog::flush() {
  if (lines_.empty()) return;
  // What was left of a line by a full disk is not to be taken for the beginning of the next.
  if (torn_) lines_.insert(0, 1, '\n');
  ssize_t written = 0;
  do {
    written = ::write(file_.fd(), lines_.data(), lines_.size());
  } while (written < 0 && errno == EINTR);
  const int error = errno;
  const std::size_t done = written < 0 ? 0 : static_cast<std::size_t>(written);
  if (done < lines_.size()) {
    const auto rest = lines_.begin() + static_cast<std::ptrdiff_t>(done);
    if (done > 0) torn_ = lines_[done - 1] != '\n';
    const auto lines = static_cast<std::uint64_t>(std::count(rest, lines_.end(), '\n')) - (torn_ && done == 0 ? 1 : 0);
    lose(lines, written < 0 ? std::generic_category().message(error) : "there is no room for all of them");
  } else {
    torn_ = false;
  }
  lines_.clear();
}

void AccessLog::lose(std::uint64_t lines, const std::string& why) {
  lost_ += lines;
  if (lost_logged_ != 0 && loop_.now_ms() - lost_logged_at_ms_ < kQuietMs) return;
  loop_.log().warning("cannot write the access log {}: {}; {} lines are lost, {} in all", settings_.path, why,
                      lost_ - lost_logged_, lost_);
  lost_logged_ = lost_;
  lost_logged_at_ms_ = loop_.now_ms();
}

Result<void> AccessLog::reopen() {
  flush();
  const Result<int> fd = open_file(settings_.path);
  if (!fd) return tl::unexpected(fd.error());
  file_ = net::Socket(*fd);
  torn_ = false;
  return {};
}

}  // namespace gatehouse::gateway
