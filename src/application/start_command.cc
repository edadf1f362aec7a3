#include "application/start_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "application/access_log_files.h"
#include "application/descriptor_limit.h"
#include "application/instance_name.h"
#include "application/listen_plan.h"
#include "application/operator_questions.h"
#include "application/option_check.h"
#include "application/process_specs.h"
#include "application/program_description.h"
#include "application/running_configuration.h"
#include "application/ticket_seed.h"
#include "base/process_title.h"
#include "master/control_socket.h"
#include "master/daemon.h"
#include "master/identity.h"
#include "master/master.h"
#include "master/pid_file.h"
#include "master/reload.h"
#include "master/run_directory.h"
#include "master/service_notifier.h"
#include "master/signals.h"
#include "net/accept_share.h"

namespace gatehouse {
namespace {

constexpr std::chrono::seconds kKeepPeriod{10};

int complain(const Program& program, const std::string& line) {
  std::fputs(fmt::format("{}: {}\n", program.name, line).c_str(), stderr);
  return 1;
}

/// Everything that is had before the first process is started.
struct Prepared {
  master::PidFile pid_file;
  std::vector<PlannedListener> plan;
  std::vector<net::Socket> sockets;
  std::vector<net::Socket> shares;  // the memory of each gateway's processes, to share clients by
  net::Socket control;
  std::string program_file;
  std::optional<master::Identity> identity;
};

/// One for each gateway of `program`; those that are there stay.
Result<bool> make_shares(const Program& program, std::vector<net::Socket>& shares) {
  while (shares.size() < program.gateways.size()) {
    auto share = net::AcceptShare::make_memory();
    if (!share) return tl::unexpected(share.error());
    shares.push_back(std::move(*share));
  }
  return true;
}

Result<Prepared> prepare(const Program& program, const Settings& settings) {
  const auto problem_failure = [&](const OptionProblem& problem) { return failure(to_line(problem, program)); };
  if (const auto problem = check_options(program)) return problem_failure(*problem);
  auto plan = plan_listeners(program);
  if (!plan) return problem_failure(plan.error());

  if (auto made = master::prepare_run_directory(settings.run_dir); !made) return tl::unexpected(made.error());
  auto identity = master::find_identity(settings.user, settings.group);
  if (!identity) return tl::unexpected(identity.error());
  auto pid_file = master::PidFile::lock(settings.pid_path());
  if (!pid_file) return tl::unexpected(pid_file.error());
  if (!*pid_file) {
    return failure(fmt::format("{} is already running (pid {}); --instance NAME starts another beside it", settings.instance,
                               master::PidFile::locked_by(settings.pid_path()).value_or(0)));
  }
  if (const auto pid = master::ControlSocket::owner(settings.socket_path())) {
    return failure(
        fmt::format("{} is already running (pid {}), though its pid file {} was not there; it makes it again by itself",
                    settings.instance, *pid, settings.pid_path()));
  }
  auto sockets = open_listeners(*plan);
  if (!sockets) return problem_failure(sockets.error());
  if (const auto problem = make_access_logs(program, *identity)) return problem_failure(*problem);
  std::vector<net::Socket> shares;
  if (const auto made = make_shares(program, shares); !made) return tl::unexpected(made.error());
  auto control = master::ControlSocket::open(settings.socket_path());
  if (!control) return tl::unexpected(control.error());
  // Where `reload` finds the file that is to be run then.
  std::error_code error;
  const auto program_file = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return os_failure("cannot find the program's own file", error.value());
  return Prepared{std::move(**pid_file), std::move(*plan),      std::move(*sockets), std::move(shares),
                  std::move(*control),   program_file.string(), std::move(*identity)};
}

std::vector<std::string> arguments_behind_program(const std::vector<std::string>& arguments) {
  return arguments.empty() ? arguments : std::vector<std::string>(arguments.begin() + 1, arguments.end());
}

/// The master's process from here to its end.
class Instance {
 public:
  Instance(const Program& program, const Settings& settings, Prepared& prepared, master::StartReport& report,
           const std::vector<std::string>& arguments, std::shared_ptr<const master::ProgramImage> image,
           master::ServiceNotifier notifier)
      : program_(program),
        settings_(settings),
        configuration_(describe(program, settings, image->configuration())),
        prepared_(prepared),
        identity_(prepared.identity),
        report_(report),
        notifier_(std::move(notifier)),
        loop_(make_log(settings, "master")),
        specs_(with_settings(make_process_specs(program, prepared.plan, prepared.sockets, prepared.shares),
                             configuration_.prepare(configuration_.description()))),
        master_(loop_,
                {.name = settings.instance,
                 .processes = specs_,
                 .program = prepared.program_file,
                 .arguments = arguments,
                 .stop_timeout = settings.stop_timeout(),
                 .reload_timeout = settings.reload_timeout(),
                 .identity = prepared.identity,
                 .image = std::move(image),
                 .greeting = [this] { return operator_.greeting(); }},
                {.on_started = [this](const master::StartOutcome& outcome) { on_started(outcome); },
                 .on_stopped = [this] { loop_.stop(); }}),
        operator_(loop_, master_, settings_),
        control_(loop_, std::move(prepared.control),
                 [this](const std::string& question, const nlohmann::json& message, master::ControlSocket::Answer answer) {
                   on_question(question, message, std::move(answer));
                 }) {}

  int run() {
    listen_to_signals();
    if (const auto timeout = notifier_.watchdog_timeout()) {
      // Half of it, as sd_watchdog_enabled(3) recommends.
      loop_.every(std::chrono::duration_cast<std::chrono::milliseconds>(*timeout / 2), [this] { notifier_.alive(); });
    }
    share_log();
    loop_.every(kKeepPeriod, [this] { keep_files(); });
    master_.start();
    loop_.run();
    if (!started_ && failure_.empty()) failure_ = "it was stopped while it was starting";
    control_.close();
    if (!failure_.empty())
      report_.print(fmt::format("{} has not been started: {}; see {}\n", settings_.instance, failure_, settings_.log_path()));
    report_.finish(failure_.empty() ? 0 : 1);
    loop_.log().info("{} has been stopped", settings_.instance);
    return settings_.daemon && !failure_.empty() ? 1 : 0;
  }

 private:
  void listen_to_signals() {
    // Ctrl-Z too, as upstream: a suspended master would leave its children without one.
    for (const int signal : {SIGINT, SIGTERM, SIGTSTP}) loop_.on_signal(signal, [this] { stop(); });
    // As upstream's: reload, and the same two with patience.
    loop_.on_signal(SIGQUIT, [this] { stop_gracefully(); });
    for (const int signal : {SIGUSR1, SIGUSR2}) {
      loop_.on_signal(signal, [this, signal] { reload(signal == SIGUSR2, [](const Json&) {}); });
    }
    struct sigaction hangup{};  // a nohup is to be respected
    if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) loop_.on_signal(SIGHUP, [this] { stop(); });
    loop_.on_signal(SIGXCPU, [this] {
      loop_.log().error("the limit of the master's processor time (RLIMIT_CPU) has been reached");
      stop();
    });
    loop_.on_signal(SIGCHLD, [this] { master_.reap(); });
    loop_.on_signal(kReopenLogSignal, [this] {
      reopen_log(settings_, loop_.log());
      share_log();
      if (const auto problem = make_access_logs(program_, identity_)) loop_.log().warning("{}", to_line(*problem, program_));
      loop_.log().info("the log has been opened again");
      master_.signal_all(kReopenLogSignal);
    });
  }

  /// Children that are somebody else must be able to write it, and to open it again.
  void share_log() {
    const bool is_file = settings_.daemon || !settings_.log_file.empty();
    if (!identity_ || !is_file) return;
    if (const auto given = master::give_file(settings_.log_path(), *identity_); !given) {
      loop_.log().warning("cannot give the log file {} to {}: {}", settings_.log_path(), settings_.user, given.error().message);
    }
  }

  /// The pid file and the control socket, which cleaners of old files take for forgotten ones.
  void keep_files() {
    // Their directory may be gone, too. One that others may write to is left alone.
    const auto directory = master::prepare_run_directory(settings_.run_dir);
    const auto keep = [&](const std::string& path, const Result<bool>& restored) {
      if (!restored) return complain_of_files(restored.error().message);
      if (*restored) loop_.log().warning("{} had been removed, and has been made again", path);
    };
    if (!directory) return complain_of_files(directory.error().message);
    keep(settings_.pid_path(), prepared_.pid_file.restore(getpid()));
    keep(settings_.socket_path(), control_.restore());
  }
  void complain_of_files(const std::string& what) {
    if (std::exchange(file_problem_, what) != what) loop_.log().warning("{}", what);
  }

  void stop() {
    loop_.log().info("stopping {}", settings_.instance);
    notifier_.stopping();
    master_.stop();
  }

  /// New clients are refused from this moment on: nobody holds the sockets that they come to any longer.
  void stop_gracefully() {
    loop_.log().info("stopping {} when its clients have gone, in {} s at the latest", settings_.instance,
                     settings_.graceful_timeout_seconds);
    for (std::size_t i = 0; i < prepared_.plan.size(); ++i) {
      const PlannedListener& listener = prepared_.plan[i];
      if (listener.kind == RoleKind::gateway && listener.index == PlannedListener::kShared) prepared_.sockets[i] = net::Socket();
    }
    notifier_.stopping();
    master_.stop_gracefully(settings_.graceful_timeout());
  }

  using Json = nlohmann::ordered_json;

  void reload(bool gracefully, master::ControlSocket::Answer answer) {
    notifier_.reloading();
    const auto refuse = [this, answer](const std::string& why) {
      loop_.log().error("the reload failed, and everything stays as it was: {}", why);
      notifier_.ready(getpid(), fmt::format("{} processes; the last reload failed: {}", processes(), why));
      answer({{"error", why}});
    };
    if (const std::string why = master_.cannot_reload(); !why.empty()) return refuse(why);
    // They may be readable for this process alone, and are to be one text for whoever is asked and started.
    std::vector<master::ConfigurationText> texts;
    try {
      texts = configuration_.read_again();
    } catch (const std::exception& error) {
      return refuse(error.what());
    }
    master_.describe(std::move(texts), [this, gracefully, answer, refuse](Result<master::Described> described) {
      if (!described) return refuse(described.error().message);
      const std::size_t planned = prepared_.plan.size();
      try {
        take_over(*described, gracefully, answer, refuse);
      } catch (const Json::exception& error) {
        close_more(planned);
        refuse(std::string("what the program says of itself is not understood: ") + error.what());
      }
    });
  }

  void take_over(const master::Described& described, bool gracefully, const master::ControlSocket::Answer& answer,
                 const std::function<void(const std::string& why)>& refuse) {
    const auto step =
        std::make_shared<const RunningConfiguration::Step>(configuration_.prepare(Json::parse(described.description)));
    const std::size_t planned = prepared_.plan.size();
    const Program effective = to_program(step->plan.effective);
    if (const auto problem = make_access_logs(effective, identity_)) return refuse(to_line(*problem, effective));
    if (const auto made = make_shares(effective, prepared_.shares); !made) return refuse(made.error().message);
    if (const auto problem = open_more(effective)) return refuse(to_line(*problem, effective));
    master::Master::ReloadRequest request{
        .gracefully = gracefully,
        .image = described.image,
        .specs = with_settings(make_process_specs(effective, prepared_.plan, prepared_.sockets, prepared_.shares), *step)};
    Settings next = settings_;
    from_json(step->plan.effective["instance"], next, instance_options());
    request.stop_timeout = next.stop_timeout();
    request.on_decided = [this, step, next, effective] {
      program_ = effective;
      configuration_.commit(*step);
      settings_ = next;
      set_log(settings_, loop_.log());
      operator_.reconfigure(settings_);
      // Certificates are read again by all.
      master_.signal_all(kReopenLogSignal);
      log_changes(step->plan.changes);
    };
    master_.reload(std::move(request), [this, step, planned, answer, refuse](const master::ReloadOutcome& outcome) {
      if (!outcome.failure.empty()) {
        close_more(planned);
        operator_.reconfigure(settings_);  // those that stay have been given the configured log level
        return refuse(outcome.failure);
      }
      notifier_.ready(getpid(), fmt::format("{} processes", processes()));
      Json changes = Json::array();
      for (const DescriptionChange& change : step->plan.changes) changes.push_back(to_json(change));
      answer({{"replaced", outcome.replaced},
              {"leaving", outcome.leaving},
              {"cut_short", outcome.cut_short},
              {"added", outcome.added},
              {"silent", outcome.silent},
              {"changes", std::move(changes)}});
    });
  }

  static std::vector<master::ProcessSpec> with_settings(std::vector<master::ProcessSpec> specs,
                                                        const RunningConfiguration::Step& step) {
    for (master::ProcessSpec& spec : specs) spec.settings = step.settings.at(spec.role + ":" + spec.name);
    return specs;
  }

  /// Opens the sockets that `effective` needs and that are not there yet, or none of them.
  std::optional<OptionProblem> open_more(const Program& effective) {
    const auto plan = plan_listeners(effective);
    if (!plan) return plan.error();
    std::vector<PlannedListener> missing;
    for (const PlannedListener& wanted : *plan) {
      const bool is_there = std::any_of(prepared_.plan.begin(), prepared_.plan.end(), [&](const PlannedListener& each) {
        return each.kind == wanted.kind && each.number == wanted.number && each.index == wanted.index;
      });
      if (!is_there) missing.push_back(wanted);
    }
    auto sockets = open_listeners(missing);
    if (!sockets) return sockets.error();
    prepared_.plan.insert(prepared_.plan.end(), missing.begin(), missing.end());
    for (net::Socket& socket : *sockets) prepared_.sockets.push_back(std::move(socket));
    return std::nullopt;
  }

  /// Those behind the first `planned` ones.
  void close_more(std::size_t planned) {
    prepared_.plan.erase(prepared_.plan.begin() + static_cast<std::ptrdiff_t>(planned), prepared_.plan.end());
    prepared_.sockets.resize(planned);
  }

  void log_changes(const std::vector<DescriptionChange>& changes) {
    for (const DescriptionChange& change : changes) {
      if (change.effect == TakesEffect::restart) {
        loop_.log().warning("not taken over, since it takes a restart: {}", change.what);
      } else {
        loop_.log().info("taken over: {}", change.what);
      }
    }
  }

  static Json to_json(const DescriptionChange& change) { return {{"effect", to_string(change.effect)}, {"what", change.what}}; }

  /// What `check --against-running` shows.
  void answer_compare(const Json& message, const master::ControlSocket::Answer& answer) {
    try {
      Json changes = Json::array();
      for (const DescriptionChange& change : compare(configuration_.description(), message.at("description")).changes) {
        changes.push_back(to_json(change));
      }
      answer({{"changes", std::move(changes)}, {"hash", configuration_.description()["hash"]}});
    } catch (const Json::exception& error) {
      answer({{"error", std::string("the description is not understood: ") + error.what()}});
    }
  }

  /// Those that are to be there.
  [[nodiscard]] std::size_t processes() const {
    const auto& all = master_.processes();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const auto& process) { return !process.temporary; }));
  }

  void on_started(const master::StartOutcome& outcome) {
    started_ = true;
    // In the foreground whoever started it reads what happens, and may mend it while it goes on trying.
    if (settings_.daemon && !outcome.failure.empty()) {
      failure_ = outcome.failure;
      return master_.stop();
    }
    notifier_.ready(getpid(),
                    fmt::format("{} processes{}", processes(),
                                outcome.not_ready.empty() ? "" : fmt::format(", {} not ready", outcome.not_ready.size())));
    loop_.log().info("{} has been started with {} processes", settings_.instance, master_.processes().size());
    std::string text = master::format_start_table(specs_) + "\n";
    if (!outcome.not_ready.empty()) text += fmt::format("not ready yet: {}\n", fmt::join(outcome.not_ready, ", "));
    if (const Log::Lost lost = loop_.log().lost(); lost.lines > 0) {
      text += fmt::format("the log cannot be written: {}\n", std::generic_category().message(lost.error));
    }
    if (settings_.daemon && settings_.quiet) {
      report_.finish(0);
    } else if (settings_.daemon) {
      report_.print(text + fmt::format("started, pid {}, log in {}\n", getpid(), settings_.log_path()));
      report_.finish(0);
    } else if (!settings_.quiet) {
      std::fputs((text + "Press Ctrl-C to stop.\n").c_str(), stdout);
      std::fflush(stdout);
    }
  }

  /// Of a reload from its begin to its answer, generously.
  [[nodiscard]] std::chrono::milliseconds most_reload_time() const {
    return master::Reload::Settings{}.ready_timeout + settings_.reload_timeout() + settings_.stop_timeout() +
           std::chrono::seconds(30);
  }

  void on_question(const std::string& question, const nlohmann::json& message, master::ControlSocket::Answer answer) {
    if (question == "status") {
      return master_.status([this, answer = std::move(answer)](const Json& status) {
        Json whole = status;
        whole["configuration"] = configuration_.status();
        operator_.describe(whole);
        answer(whole);
      });
    }
    if (question == "compare") return answer_compare(message, answer);
    if (operator_.answer(question, message, answer)) return;
    if (question == "reload" || question == "reload -g") return reload(question == "reload -g", std::move(answer));
    if (question == "graceful timeout") return answer({{"milliseconds", settings_.graceful_timeout().count()}});
    if (question == "reload timeout") return answer({{"milliseconds", most_reload_time().count()}});
    if (question == "connections") return master_.connections(message, std::move(answer));
    answer({{"error", "this master does not know the question \"" + question + "\""}});
  }

  Program program_;  // as it runs
  Settings settings_;
  RunningConfiguration configuration_;
  Prepared& prepared_;
  const std::optional<master::Identity> identity_;
  master::StartReport& report_;
  master::ServiceNotifier notifier_;
  net::Loop loop_;
  std::vector<master::ProcessSpec> specs_;
  master::Master master_;
  OperatorQuestions operator_;
  master::ControlSocket control_;
  bool started_ = false;
  std::string failure_;
  std::string file_problem_;
};

}  // namespace

int start_instance(const Program& program, const Settings& settings, const std::vector<std::string>& arguments,
                   std::shared_ptr<const master::ProgramImage> image) {
  master::set_master_signals();
  Result<Prepared> prepared = prepare(program, settings);
  if (!prepared) return complain(program, prepared.error().message);
  const std::uint64_t descriptors = raise_descriptor_limit();
  auto notifier = master::ServiceNotifier::from_environment();
  master::StartReport report;
  if (settings.daemon) {
    Result<master::StartReport> daemon = master::daemonize(settings.log_path());
    if (!daemon) return complain(program, daemon.error().message);
    report = std::move(*daemon);
  }
  (void)set_process_title(fmt::format("{}: master {} {}", settings.instance, prepared->program_file,
                                      fmt::join(arguments_behind_program(arguments), " ")));
  // Whoever waits for a daemon hears why it cannot start: its log may be what cannot be written.
  const auto give_up = [&](const std::string& why) {
    report.print(fmt::format("{}: {}\n", program.name, why));
    report.finish(1);
    return complain(program, why);
  };
  try {
    if (const auto written = prepared->pid_file.write(getpid()); !written) return give_up(written.error().message);
    if (const auto low = program.gateways.empty() ? std::nullopt : describe_low_limit(descriptors)) {
      make_log(settings, "master").warning("{}", *low);
    }
    draw_ticket_seed();
    draw_instance_name();
    return Instance(program, settings, *prepared, report, arguments, std::move(image), std::move(notifier)).run();
  } catch (const std::exception& error) {
    return give_up(error.what());
  }
}

}  // namespace gatehouse
