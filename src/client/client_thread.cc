#include "client/client_thread.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <memory>
#include <stdexcept>
#include <utility>

#include "link/inner_tls.h"
#include "net/descriptors_lost.h"

namespace gatehouse {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLastFlush{1000};
constexpr milliseconds kLookPeriod{1000};  // how often the files of inner_tls are looked at

Log make_log(const GatewayClientOptions& options) {
  if (!options.log) return Log::silent();
  return Log::to_function([log = options.log.function()](LogLevel level, std::string_view message) {
    log(level == LogLevel::error ? "error" : level == LogLevel::warning ? "warning" : "info", message);
  });
}

int to_ms(milliseconds time) { return static_cast<int>(std::clamp<milliseconds::rep>(time.count(), 1, 86'400'000)); }

std::unique_ptr<net::TlsContext> make_tls(const InnerTls& files) {
  // Whether the own certificate is over is the gateways' to judge.
  auto made = link::make_inner_tls(files, true, link::kUsesOfGatewayClient);
  if (!made) throw std::invalid_argument("inner_tls: " + made.error().message);
  return std::move(*made);
}

ClusterCalls::Settings to_settings(const GatewayClientOptions& options, net::TlsContext* tls) {
  ClusterCalls::Settings settings;
  settings.tls = tls;
  settings.register_addresses = options.register_addresses;
  settings.secret_key = options.secret_key;
  settings.question_timeout_ms = to_ms(options.question_timeout);
  settings.connect_timeout_ms = to_ms(options.connect_timeout);
  // As much as may wait for a gateway that is connected: there is nobody to slow down here but who calls.
  settings.max_held_bytes = 64 * 1024 * 1024;
  return settings;
}

void throw_missed(const std::vector<ClusterCalls::Missed>& missed) {
  std::string names;
  std::vector<std::string> gateways;
  for (const auto& [gateway, why] : missed) {
    names += (names.empty() ? "" : ", ") + gateway + (why.empty() ? "" : " (" + why + ")");
    if (std::find(gateways.begin(), gateways.end(), gateway) == gateways.end()) gateways.push_back(gateway);
  }
  throw Error("commands may not have reached the " + std::string(gateways.size() == 1 ? "gateway " : "gateways ") + names,
              gateways);
}

}  // namespace

ClientThread::ClientThread(GatewayClientOptions options)
    : options_(std::move(options)),
      tls_(make_tls(options_.inner_tls)),
      loop_(make_log(options_)),
      calls_(loop_, to_settings(options_, tls_.get())) {
  if (options_.register_addresses.empty()) throw std::invalid_argument("register_addresses: one at least is wanted");
  // The program's signals are for the program's threads; a new thread has the mask of the one that makes it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ClientThread::~ClientThread() {
  if (unconfirmed_.load() && !is_lost_.load()) {
    try {
      flush(kLastFlush);
    } catch (const Error& error) {
      loop_.post([this, what = std::string(error.what())] { loop_.log().warning("at the end: {}", what); });
    }
  }
  loop_.post([this] { calls_.stop([this] { loop_.stop(); }); });
  thread_.join();
}

void ClientThread::run() {
  id_ = std::this_thread::get_id();
  calls_.start();
  if (tls_ != nullptr) {
    loop_.every(kLookPeriod, [this] { tls_->reload_when_changed(loop_.log()); });
  }
  try {
    loop_.run();
  } catch (const net::DescriptorsLost& error) {
    {
      const std::lock_guard lock(mutex_);
      is_lost_ = true;
    }
    loop_.log().error("{}; this GatewayClient is of no use any more", error.what());
    room_.notify_all();
  }
}

void ClientThread::check_thread() const {
  if (is_in_child()) {
    throw std::logic_error(
        "this GatewayClient was made before fork(): its thread and connections are the parent's; make one in this process");
  }
  check_lost();
  if (id_.load() == std::this_thread::get_id())
    throw std::logic_error("a GatewayClient cannot be called from its own log function");
}

void ClientThread::check_lost() const {
  if (is_lost_.load()) throw Error("somebody in this process has closed the descriptors of this GatewayClient; make another");
}

void ClientThread::command(std::size_t size, std::function<void(ClusterCalls& calls)> call) {
  check_thread();
  {
    std::unique_lock lock(mutex_);
    // One that is larger than all the room goes alone.
    room_.wait(lock, [&] { return is_lost_.load() || waiting_bytes_ == 0 || waiting_bytes_ + size <= kMaxWaitingBytes; });
    check_lost();
    waiting_bytes_ += size;
  }
  unconfirmed_ = true;
  loop_.post([this, size, call = std::move(call)] {
    done_with(size);
    try {
      call(calls_);
    } catch (const std::exception& error) {
      // The arguments were checked by the caller, so this is want of memory.
      loop_.log().error("a command was dropped: {}", error.what());
    }
  });
}

void ClientThread::done_with(std::size_t size) {
  {
    const std::lock_guard lock(mutex_);
    waiting_bytes_ -= size;
  }
  room_.notify_all();
}

ClientThread::Outcome ClientThread::wait_for(milliseconds longest, bool with_missed,
                                             std::function<void(link::OnAnswers done)> start) {
  check_thread();
  // Shared, for a thread that is late finds it when this call has long returned.
  const auto promise = std::make_shared<std::promise<Outcome>>();
  std::future<Outcome> outcome = promise->get_future();
  loop_.post([this, promise, with_missed, start = std::move(start)] {
    start([this, promise, with_missed](link::Answers answers) {
      if (answers.size() == 1 && answers.front().gateway == link::GatewayKey{}) answers.front().value = calls_.register_problem();
      promise->set_value({std::move(answers), with_missed ? calls_.take_missed() : std::vector<ClusterCalls::Missed>()});
    });
  });
  // The loop keeps the time; this is for one that hangs, in the look-up of a register's name.
  if (outcome.wait_for(longest + milliseconds(1000)) != std::future_status::ready) {
    check_lost();
    throw Error("no answer in time: the thread of the GatewayClient is held up, probably by the look-up of a register's name");
  }
  return outcome.get();
}

link::Answers ClientThread::ask(const link::Inquiry& inquiry) {
  return wait_for(options_.connect_timeout + options_.question_timeout, false,
                  [this, inquiry](link::OnAnswers done) { calls_.ask(inquiry, std::move(done)); })
      .answers;
}

void ClientThread::flush(milliseconds timeout) {
  unconfirmed_ = false;
  const Outcome outcome =
      wait_for(2 * timeout, true, [this, timeout](link::OnAnswers done) { calls_.confirm(std::move(done), to_ms(timeout)); });
  std::vector<ClusterCalls::Missed> missed = outcome.missed;
  for (const link::GatewayAnswer& each : outcome.answers) {
    if (each.answered) continue;
    if (each.gateway == link::GatewayKey{}) {
      throw Error("nothing has been sent: no register has told yet which gateways there are: " + each.value);
    }
    const std::string address = each.gateway.address();
    const auto is_named = [&](const ClusterCalls::Missed& other) { return other.gateway == address; };
    if (std::none_of(missed.begin(), missed.end(), is_named)) missed.push_back({address, ""});
  }
  if (!missed.empty()) throw_missed(missed);
}

}  // namespace gatehouse
