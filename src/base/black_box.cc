#include "base/black_box.h"

#include <execinfo.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <system_error>

namespace gatehouse {
namespace {

constexpr int kMostFrames = 64;
constexpr std::size_t kSignalStackSize = 64 * 1024;
// A crash inside the dynamic linker may hold a lock that the backtrace needs.
constexpr unsigned kCrashSeconds = 10;
constexpr std::array kCrashes = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};

// A signal handler is given nothing: these two are all that it can know. Set once, by answer_signals().
BlackBoxPage* volatile signal_page = nullptr;
volatile int signal_fd = -1;

void* interrupted_at(void* context) {
  const auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return reinterpret_cast<void*>(machine.gregs[REG_RIP]);  // NOLINT
#elif defined(__aarch64__)
  return reinterpret_cast<void*>(machine.pc);  // NOLINT
#else
  (void)machine;
  return nullptr;
#endif
}

/// Only what signal-safety(7) allows, and two of glibc's that allocate nothing: backtrace() once it has been called before, and
/// backtrace_symbols_fd().
void write_backtrace(void* context) {
  BlackBoxPage* page = signal_page;
  const int fd = signal_fd;
  if (page == nullptr) return;
  std::array<void*, kMostFrames> frames{};
  const int count = backtrace(frames.data(), kMostFrames);
  // What stands in front of the place that was interrupted are this function and the signal's own.
  void* const place = interrupted_at(context);
  int first = 0;
  while (first < count && frames[static_cast<std::size_t>(first)] != place) ++first;
  if (lseek(fd, BlackBoxPage::kSize, SEEK_SET) < 0) return;
  if (first == count) {  // a jump to nowhere: its caller can still be told
    first = 0;
    std::array<void*, 1> nowhere{place};
    backtrace_symbols_fd(nowhere.data(), 1, fd);
  }
  backtrace_symbols_fd(frames.data() + first, count - first, fd);
  const off_t end = lseek(fd, 0, SEEK_CUR);
  page->report_bytes = end > static_cast<off_t>(BlackBoxPage::kSize) ? static_cast<std::uint64_t>(end) - BlackBoxPage::kSize : 0;
  page->report_handler = page->handler.load();
  ++page->reports;
}

void on_crash(int signal, siginfo_t* /*info*/, void* context) {
  (void)::signal(SIGALRM, SIG_DFL);  // which ends the process
  sigset_t alarms;
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  (void)pthread_sigmask(SIG_UNBLOCK, &alarms, nullptr);
  alarm(kCrashSeconds);
  if (BlackBoxPage* page = signal_page) page->signal = static_cast<std::uint32_t>(signal);
  write_backtrace(context);
  // SA_RESETHAND has put the default back; this is delivered when the handler returns, and gives the status and the core that
  // there would have been.
  (void)raise(signal);
}

void on_dump(int /*signal*/, siginfo_t* /*info*/, void* context) {
  const int error = errno;
  write_backtrace(context);
  errno = error;
}

void handle(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action{};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | flags;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

const char* to_string(Activity activity) {
  switch (activity) {
    case Activity::none: return "nothing";
    case Activity::on_worker_start: return "on_worker_start";
    case Activity::on_connect: return "on_connect";
    case Activity::on_websocket_connect: return "on_websocket_connect";
    case Activity::on_message: return "on_message";
    case Activity::on_close: return "on_close";
    case Activity::on_worker_stop: return "on_worker_stop";
    case Activity::timer: return "a timer";
    case Activity::task: return "a task";
  }
  return "something";
}

BlackBox::BlackBox() : own_(std::make_unique<BlackBoxPage>()), page_(own_.get()) {}

BlackBox::BlackBox(int fd) : fd_(fd) {
  static_assert(sizeof(BlackBoxPage) <= BlackBoxPage::kSize);
  void* memory = mmap(nullptr, BlackBoxPage::kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "cannot map the black box");
  page_ = static_cast<BlackBoxPage*>(memory);
}

BlackBox::~BlackBox() {
  if (signal_page == page_) signal_page = nullptr;
  if (own_ == nullptr) munmap(page_, BlackBoxPage::kSize);
}

int BlackBox::dump_signal() { return SIGRTMIN; }

void BlackBox::answer_signals() {
  if (own_ != nullptr) return;
  // The first call loads libgcc_s, which allocates.
  std::array<void*, 1> warm_up{};
  (void)backtrace(warm_up.data(), 1);
  signal_stack_ = std::make_unique<char[]>(kSignalStackSize);
  const stack_t stack{.ss_sp = signal_stack_.get(), .ss_flags = 0, .ss_size = kSignalStackSize};
  (void)sigaltstack(&stack, nullptr);
  signal_fd = fd_;
  signal_page = page_;
#if !defined(__SANITIZE_ADDRESS__)
  for (const int signal : kCrashes) handle(signal, on_crash, static_cast<int>(SA_RESETHAND));
#else
  (void)on_crash;
  (void)kCrashes;
#endif
  handle(dump_signal(), on_dump, SA_RESTART);
  page_->answers_dump_signal = 1;
}

}  // namespace gatehouse
