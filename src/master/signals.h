#pragma once

namespace gatehouse::master {

/// What every signal does in each kind of process: docs/operations.md, "Signals", has the table. What a process inherits of its
/// caller's settings (nohup, a parent that ignores SIGCHLD, a blocked SIGTERM) is undone, except where a line below says so.
/// Signals that a loop takes over (net::Loop::on_signal) are not named here; they are at their default until then.
///
/// A handler that the program or a library has installed before, such as a profiler's, is left in its place.

/// Of a command that asks or stops a running program: the system's defaults, none blocked. SIGHUP, SIGINT, SIGQUIT and SIGTSTP
/// stay ignored when they are (nohup, a shell's &).
void set_command_signals();

/// Of a master. No stray signal ends it, and what it is told to do while it is starting (SIGUSR1, SIGUSR2) waits for its loop.
/// SIGHUP stays ignored when it is (nohup).
void set_master_signals();

/// Of a child, between fork and exec. Async-signal-safe.
void set_signals_for_exec();

/// Of a child when it runs: what was only ignored until now gets a handler that does nothing, so that programs which user code
/// starts do not inherit that it is ignored.
void set_child_signals();

}  // namespace gatehouse::master
