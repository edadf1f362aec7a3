"""Whatever surroundings a program is started in: descriptors that are closed, signals, limits, a full disk, a clock that is set."""
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from program import BIN, LineClient, ProgramTest, free_ports, is_listening, wait_until
from test_commands import running


class SurroundingsTest(ProgramTest):
    def echo(self, *extra):
        """A program that is not started yet, and the port of its clients."""
        ports = free_ports(3)
        program = self.program("echo", "--listen", f"text://127.0.0.1:{ports[0]}", "--register", f"127.0.0.1:{ports[1]}", "--start-port", ports[2], *extra)
        return program, ports[0]

    def start_daemon(self, program, **options):
        result = subprocess.run(program.command("start", "-d"), timeout=90, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
        self.addCleanup(program.run, "stop")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return program

    def daemon(self, *extra, **options):
        program, port = self.echo(*extra)
        return self.start_daemon(program, **options), port

    def log_of(self, program, name=None):
        return (program.directory / f"{name or program.name}.log").read_text(errors="replace")

    def assert_serves(self, port):
        with LineClient(port) as client:
            client.send("Ehello")
            self.assertEqual(client.receive(), "Ehello")


class DescriptorsTest(SurroundingsTest):
    def test_started_with_standard_descriptors_closed(self):
        for closed in ([0], [1], [2], [0, 1], [1, 2], [0, 1, 2]):
            with self.subTest(closed=closed):
                program, port = self.echo()
                redirections = " ".join(f"{fd}>&-" for fd in closed)
                command = ["sh", "-c", f'exec "$@" {redirections}', "sh"]

                def run(word, command=command, program=program):
                    subprocess.run([*command, *program.command(word)], timeout=90, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

                subprocess.run([*command, *program.command("start", "-d")], timeout=90, check=True, stdout=subprocess.DEVNULL)
                try:
                    self.assert_serves(port)
                    master = program.status()["pid"]
                    self.assertEqual(int((program.directory / "echo.pid").read_text()), master)
                    for pid in [master, *(p["pid"] for p in program.status()["processes"])]:
                        names = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)]
                        log = str(program.directory / "echo.log")
                        self.assertEqual(names, ["/dev/null", log, log])
                    run("status")
                    run("reload")
                finally:
                    run("stop")
                self.assertFalse(is_listening(port))


class SignalsTest(SurroundingsTest):
    STRAY = [signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPWR, signal.SIGXFSZ, signal.SIGPIPE, signal.SIGTTIN,
             signal.SIGTTOU, signal.SIGRTMAX]

    def ignored(self, pid):
        mask = int(re.search(r"SigIgn:\s+([0-9a-f]+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1), 16)
        return {number for number in range(1, 65) if mask & 1 << (number - 1)}

    def test_stray_signals_end_nobody(self):
        program, port = self.daemon()
        status = program.status()
        pids = [process["pid"] for process in status["processes"]]
        for number in self.STRAY:
            for pid in [status["pid"], *pids]:
                os.kill(pid, number)
        # As from a script of upstream's that is sent to every process of that name.
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGINT, signal.SIGTSTP):
            for pid in pids:
                os.kill(pid, number)
        self.assert_serves(port)
        self.assertEqual([process["pid"] for process in program.status()["processes"]], pids)
        self.assertNotIn("started again", self.log_of(program))

    def test_signals_that_the_caller_ignores_or_blocks(self):
        def inherit_the_worst():
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))

        program, port = self.daemon(preexec_fn=inherit_the_worst)
        old = program.pids("worker")[0]
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: program.pids("worker")[0] not in (None, old), 30, "the worker is replaced, for its end was noticed")
        self.assert_serves(port)
        # Under nohup it stays; told to end, it ends.
        master = program.status()["pid"]
        os.kill(master, signal.SIGHUP)
        self.assertEqual(program.status()["pid"], master)
        os.kill(master, signal.SIGTERM)
        wait_until(lambda: not running(master), 30, "the master ends at SIGTERM")

    def test_a_log_at_the_limit_of_file_sizes_kills_nobody(self):
        limit = 100 * 1024
        program, port = self.daemon(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        with open(program.directory / "echo.log", "ab") as log:
            log.write(b"\n" * (limit - log.tell()))
        master = program.status()["pid"]
        self.assertIn(signal.SIGXFSZ, self.ignored(master))
        old = program.pids("worker")[0]
        os.kill(old, signal.SIGKILL)  # something to write a line about
        wait_until(lambda: program.pids("worker")[0] not in (None, old), 30, "the worker is replaced")
        self.assert_serves(port)
        self.assertEqual(program.status()["pid"], master)

    def test_lost_lines_are_counted_and_told_of(self):
        limit = 100 * 1024
        program, _ = self.daemon(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)))
        log = program.directory / "echo.log"
        with open(log, "ab") as file:
            file.write(b"\n" * (limit - file.tell()))
        old = program.pids("worker")[0]
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: program.status()["log_lines_lost"] > 0, 30, "the master counts lines that it could not write")
        self.assertRegex(program.run("status").stdout, r"master: \d+ log lines lost")
        wait_until(lambda: program.processes("worker")[0]["state"] == "running", 30)
        # There is room again, as after a rotation.
        log.rename(log.with_suffix(".1"))
        os.kill(program.status()["pid"], signal.SIGURG)
        wait_until(lambda: log.exists() and re.search(r"master \[\d+\] \d+ lines of the log before this one could not be written: File too large",
                                                      self.log_of(program)), 30, "the line that says so")


class FullDiskTest(SurroundingsTest):
    def full_disk(self):
        """A folder on a disk without room. As root only, and where the machine lets it."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", directory.name], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("cannot mount a small disk here")
        self.addCleanup(subprocess.run, ["umount", "-l", directory.name], check=True)
        folder = pathlib.Path(directory.name)
        with open(folder / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))
        return folder

    def test_start_names_what_cannot_be_written(self):
        folder = self.full_disk()
        program, port = self.echo("--pid-file", folder / "echo.pid", "--log-file", folder / "echo.log")
        result = program.run("start", "-d")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, f"echo: cannot write the pid file {folder}/echo.pid: No space left on device\n")
        self.assertFalse(is_listening(port))

    def test_start_says_so_when_only_the_log_is_lost(self):
        folder = self.full_disk()
        program, port = self.echo("--log-file", folder / "echo.log")
        result = program.run("start", "-d")
        self.addCleanup(program.run, "stop")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("the log cannot be written: No space left on device", result.stdout)
        self.assert_serves(port)
        self.assertGreater(program.status()["totals"]["log_lines_lost"], 0)
        (folder / "filler").unlink()
        os.kill(program.pids("worker")[0], signal.SIGKILL)
        wait_until(lambda: "could not be written: No space left on device" in (folder / "echo.log").read_text(errors="replace"), 30, "the line that says so")

    def test_without_a_disk_to_fill(self):
        program, port = self.echo()
        result = subprocess.run(program.command("start", "-d"), timeout=90, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY)))
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^echo: cannot (write the pid file \S+/echo\.pid|make shared memory): File too large\n$")
        self.assertFalse(is_listening(port))

    def test_a_log_that_is_no_file(self):
        for make, words in ((os.mkfifo, "it is a named pipe, and nobody reads from it"), (os.mkdir, "it is a directory")):
            program, port = self.echo("--log-file", "")
            path = program.directory / "log"
            make(path)
            program.arguments[-1] = str(path)
            result = program.run("start", "-d", timeout=30)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stderr, f"echo: cannot write the log file {path}: {words}\n")
            self.assertFalse(is_listening(port))


class FilesTest(SurroundingsTest):
    """What cleaners of old files remove, and what is not ours."""

    def test_a_pid_file_that_was_removed(self):
        program, port = self.daemon()
        pid_file, control = program.directory / "echo.pid", program.directory / "echo.sock"
        master = program.status()["pid"]
        pid_file.unlink()
        self.assertEqual(program.status()["pid"], master, "it is found through its control socket")
        again = program.run("start", "-d")
        self.assertEqual(again.returncode, 1)
        self.assertRegex(again.stderr, rf"^echo: echo is already running \(pid {master}\), though its pid file ")
        wait_until(lambda: pid_file.exists() and pid_file.read_text() == f"{master}\n", 60, "the pid file is there again")
        self.assertIn("echo.pid had been removed, and has been made again", self.log_of(program))
        control.unlink()
        pid_file.unlink()
        wait_until(lambda: pid_file.exists() and control.exists(), 60, "both are there again")
        self.assertEqual(program.status()["pid"], master)
        pid_file.unlink()
        stopped = program.run("stop")
        self.assertEqual((stopped.returncode, stopped.stdout), (0, "echo has been stopped\n"), stopped.stderr)
        self.assertFalse(is_listening(port))
        self.assertEqual(sorted(p.name for p in program.directory.iterdir()), ["echo.log"])

    def test_what_is_no_socket_is_left_alone(self):
        program, port = self.echo()
        precious = program.directory / "echo.sock"
        precious.write_text("precious")
        result = program.run("start", "-d")
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{precious}: a file has that name and is left alone; remove it, or choose another name with --control-socket", result.stderr)
        self.assertEqual(precious.read_text(), "precious")
        precious.unlink()
        pid_file = program.directory / "echo.pid"
        pid_file.write_text("precious")
        self.assertIn("is left alone", program.run("start", "-d").stderr)
        self.assertEqual(pid_file.read_text(), "precious")
        self.assertFalse(is_listening(port))


class SuspendedTest(SurroundingsTest):
    def test_no_command_waits_for_ever_or_is_carried_out_later(self):
        program, port = self.daemon()
        status = program.status()
        master = status["pid"]
        pids = [process["pid"] for process in status["processes"]]
        os.kill(master, signal.SIGSTOP)
        try:
            hint = rf"its master \(pid {master}\) is suspended; \"kill -CONT {master}\" lets it go on"
            for command in (["reload"], ["reload", "-g"], ["stop"], ["stop", "-g"], ["stop", "EchoGateway:0"], ["status"], ["connections"],
                            ["log-level", "debug"], ["deny", "10.9.8.0/24", "1h"], ["allow", "10.9.8.0/24"]):
                result = program.run(*command, timeout=30)
                self.assertEqual(result.returncode, 1, command)
                self.assertRegex(result.stderr, hint, command)
            # Given up by whoever asked: by Ctrl-C, or by the limit of a version that only asks.
            with socket.socket(socket.AF_UNIX) as asker:
                asker.connect(str(program.directory / "echo.sock"))
                asker.sendall(b'{"ask":"reload"}\n')
        finally:
            os.kill(master, signal.SIGCONT)
        self.assert_serves(port)
        after = program.status()
        self.assertEqual(after["pid"], master)
        self.assertEqual([process["pid"] for process in after["processes"]], pids)
        self.assertNotIn("reloading", self.log_of(program))
        self.assertNotIn("stopping", self.log_of(program))


@unittest.skipIf(pathlib.Path("/run/systemd/system").is_dir(), "it would speak to the systemd of this machine")
class PackageTest(SurroundingsTest):
    SCRIPT = pathlib.Path(__file__).parents[2] / "packaging" / "debian" / "prerm"

    def test_removing_the_package_stops_what_runs_without_systemd(self):
        program, port = self.echo()
        file = program.directory / "installed"
        shutil.copy2(BIN / "echo", file)
        program.name = str(file)
        self.start_daemon(program)
        status = program.status()
        script = self.SCRIPT.read_text()
        self.assertIn("program=/usr/bin/gatehouse\n", script)
        script = script.replace("program=/usr/bin/gatehouse\n", f"program={file}\n")
        subprocess.run(["sh", "-s", "upgrade"], input=script, text=True, timeout=90, check=True)
        self.assert_serves(port)
        os.replace(shutil.copy2(file, program.directory / "newer"), file)
        subprocess.run(["sh", "-s", "remove"], input=script, text=True, timeout=90, check=True)
        self.assertFalse(is_listening(port))
        self.assertFalse([pid for pid in [status["pid"], *(p["pid"] for p in status["processes"])] if running(pid)])
        self.assertIn("echo has been stopped", self.log_of(program, "echo"))


class OutputTest(SurroundingsTest):
    def test_output_that_cannot_be_written_is_a_failure(self):
        program, _ = self.daemon()
        for command in ("status", "connections"):
            with open("/dev/full", "w") as full:
                result = subprocess.run(program.command(command), stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
            self.assertEqual((result.returncode, result.stderr), (1, "cannot write the output: No space left on device\n"))


if __name__ == "__main__":
    unittest.main()
