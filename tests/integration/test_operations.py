"""What an operator does and sees: connections, logs, configuration, rights, systemd, crashes and blocked handlers."""
import json
import os
import pwd
import re
import resource
import signal
import socket
import subprocess
import threading
import time
import unittest

from program import BIN, LineClient, ProgramTest, free_ports, wait_until

# AddressSanitizer reports crashes itself.
SANITIZED = b"__asan_init" in (BIN / "failing_worker").read_bytes()


class OperationsTest(ProgramTest):
    def daemon(self, name, *arguments):
        program = self.program(name, *arguments)
        started = program.run("start", "-d")
        self.addCleanup(program.run, "stop")
        self.assertEqual(started.returncode, 0, started.stdout + started.stderr)
        return program

    def echo(self, *extra):
        ports = free_ports(3)
        arguments = ["--listen", f"text://127.0.0.1:{ports[0]}", "--register", f"127.0.0.1:{ports[1]}", "--start-port", ports[2], *extra]
        return arguments, ports

    def pid_of(self, program):
        return program.status()["pid"]

    def log_of(self, program):
        return (program.directory / f"{program.name}.log").read_text()


class ReportsTest(OperationsTest):
    def test_connections(self):
        program, (port,) = self.start_echo("text", workers=2)
        with LineClient(port) as one, LineClient(port) as two:
            for client in (one, two):
                client.send("Ehello")
                client.receive()
            one.send("Jroom")
            one.receive()
            one.socket.sendall(b"half")
            rows = json.loads(program.run("connections", "--json").stdout)
            kinds = [row["kind"] for row in rows]
            self.assertEqual(kinds.count("client"), 2)
            self.assertEqual(kinds.count("worker"), 2 + 2, "the event connections in the gateway, and the workers in the register")
            self.assertEqual(kinds.count("events"), 2)
            of_group = json.loads(program.run("connections", "--json", "--group", "room").stdout)
            self.assertEqual([row["groups"] for row in of_group], [["room"]])
            mine = f"127.0.0.1:{one.socket.getsockname()[1]}"
            self.assertEqual(of_group[0]["remote_address"], mine)
            self.assertEqual(of_group[0]["bytes_received"], len("Ehello\r\nJroom\r\nhalf"))
            self.assertEqual(of_group[0]["unread_bytes"], 4)
            for option, value in (("--client", of_group[0]["client_id"]), ("--address", mine)):
                found = json.loads(program.run("connections", "--json", option, value).stdout)
                self.assertEqual([row["client_id"] for row in found if row["kind"] == "client"], [of_group[0]["client_id"]])
            self.assertEqual(json.loads(program.run("connections", "--json", "--uid", "nobody").stdout), [])
            table = program.run("connections").stdout.splitlines()
            self.assertIn(f"{len(rows)} connections", table[-1])
            self.assertLessEqual(max(map(len, table)), 120)

    def test_connections_of_many_come_in_pieces(self):
        program, (port,) = self.start_echo("text")
        clients = [LineClient(port) for _ in range(700)]
        try:
            wait_until(lambda: program.processes("gateway")[0]["connections"] == 700, what="all are counted")
            rows = json.loads(program.run("connections", "--json", "--address", "127.0.0.1").stdout)
            ids = {row["client_id"] for row in rows if row["kind"] == "client"}
            self.assertEqual(len(ids), 700)
        finally:
            for client in clients:
                client.close()

    def test_live_status_rates_and_quiet(self):
        program, (port,) = self.start_echo("text")
        with LineClient(port) as client:
            for _ in range(500):
                client.send("Ehello")
                client.receive()
            live = subprocess.Popen(program.command("status", "--json", "--live", "0.1"), stdout=subprocess.PIPE, text=True)
            try:
                first, second = (json.loads(live.stdout.readline()) for _ in range(2))
            finally:
                live.terminate()
                live.communicate()
            self.assertEqual(first["pid"], second["pid"])
            self.assertGreater(first["totals"]["messages_in_per_second"], 0)
            for key in ("load_average", "version", "uptime_seconds"):
                self.assertIn(key, first)
            quiet = program.run("status", "-q")
            self.assertEqual((quiet.returncode, quiet.stdout), (0, ""))
            table = program.run("status").stdout
            for words in ("IN/S", "QUEUED", "BUSY", "total"):
                self.assertIn(words, table)
            self.assertLessEqual(max(map(len, table.splitlines())), 120)

    def test_quiet_daemon(self):
        arguments, _ = self.echo()
        program = self.program("echo", *arguments)
        self.addCleanup(program.run, "stop")
        for words in (("start", "-d", "-q"), ("restart", "-d", "-q"), ("stop", "-q")):
            result = program.run(*words)
            self.assertEqual((result.returncode, result.stdout), (0, ""), words)

    def test_signals_that_stop(self):
        for number in (signal.SIGHUP, signal.SIGTSTP, signal.SIGTERM):
            arguments, _ = self.echo()
            program = self.daemon("echo", *arguments)
            os.kill(self.pid_of(program), number)
            wait_until(lambda p=program: p.run("status", "-q").returncode == 1, what=f"it ends at {number!r}")


class LogTest(OperationsTest):
    def test_rotation(self):
        arguments, ports = self.echo("--log-format", "json")
        program = self.daemon("echo", *arguments)
        log, old = program.directory / "echo.log", program.directory / "echo.log.1"
        log.rename(old)
        os.kill(self.pid_of(program), signal.SIGURG)
        wait_until(log.exists, what="the new log file")
        wait_until(lambda: "opened again" in log.read_text(), what="the master's line in it")

        def a_line_of_the_gateway():
            with LineClient(ports[2]) as stranger:  # its inner port
                stranger.socket.sendall(bytes(28))
                return "inner port" in log.read_text()

        wait_until(a_line_of_the_gateway, what="a line of a child in it")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual({tuple(line) for line in lines}, {("time", "level", "process", "pid", "message")})
        self.assertTrue(any(line["process"].startswith("gateway") for line in lines))

    def test_what_a_worker_prints_is_in_the_log(self):
        port = free_ports(3)[0]
        program = self.daemon("failing_worker", "--port", port)
        with LineClient(port) as client:
            client.send("print")
            client.receive()
        self.assertIn("printed by the worker\n", self.log_of(program))

    def test_the_number_of_clients_that_fit(self):
        arguments, _ = self.echo()
        program = self.program("echo", *arguments)
        self.addCleanup(program.run, "stop")
        started = subprocess.run(program.command("start", "-d"), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 500)))
        self.assertEqual(started.returncode, 0, started.stderr)
        self.assertRegex(self.log_of(program), r"warning +master .*room for 436 clients.*500 descriptors")
        pid = program.pids("gateway")[0]
        with open(f"/proc/{pid}/limits") as limits:
            self.assertRegex(limits.read(), r"Max open files +500 +500")


class ConfigurationTest(OperationsTest):
    def test_instance_table(self):
        ports = free_ports(3)
        program = self.program("gatehouse")
        there = program.directory
        config = there / "g.toml"
        config.write_text(f"""
[instance]
pid_file = "{there}/my.pid"
control_socket = "{there}/my.sock"
log_file = "{there}/my.log"
log_format = "json"
[register]
listen = "text://127.0.0.1:{ports[1]}"
[[gateway]]
listen = "text://127.0.0.1:{ports[0]}"
start_port = {ports[2]}
register = ["127.0.0.1:{ports[1]}"]
""")
        program.arguments = ["-c", str(config)]
        self.addCleanup(program.run, "stop")
        started = program.run("start", "-d")
        self.assertEqual(started.returncode, 0, started.stderr)
        status = program.status()
        self.assertEqual((there / "my.pid").read_text().strip(), str(status["pid"]))
        self.assertTrue((there / "my.sock").is_socket())
        os.kill(status["processes"][0]["pid"], signal.SIGKILL)
        wait_until(lambda: "SIGKILL" in (there / "my.log").read_text(), what="a line in its log")
        (line,) = [line for line in (there / "my.log").read_text().splitlines() if "SIGKILL" in line]
        self.assertEqual(json.loads(line)["level"], "error")

        # What runs can be stopped whatever becomes of the rest of the file.
        config.write_text(config.read_text() + "nonsense_key = 1\n")
        self.assertRegex(program.run("start").stderr, r"g.toml:13: unknown key")
        stopped = program.run("stop")
        self.assertEqual((stopped.returncode, stopped.stderr), (0, ""))

    def test_bad_settings_are_one_line(self):
        program = self.program("gatehouse")
        for text, words in (('[instance]\nlog_level = "loud"\n', "g.toml:2: log_level"), ('[instance]\nstop_timeout = "1ms"\n', "g.toml:2: stop_timeout"),
                            ("[instance\n", "g.toml:1: ")):
            config = program.directory / "g.toml"
            config.write_text(text)
            result = program.run("check", "-c", str(config))
            self.assertEqual(result.returncode, 1)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            self.assertIn(words, result.stderr)
        arguments, _ = self.echo("--user", "no-such-user")
        result = self.program("echo", *arguments).run("start", "-d")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r'no user "no-such-user"')

    def test_what_a_php_gateway_would_take_along_is_named(self):
        program = self.program("gatehouse")
        php = program.directory / "start_gateway.php"
        made = "<?php\n$gateway = new Gateway('websocket://127.0.0.1:8282');\n$gateway->pingInterval = 25;\n"
        php.write_text(made + "$gateway->onConnect = function ($connection) { $connection->close(); };\n")
        found = program.run("check", "--php", str(php))
        self.assertEqual((found.returncode, found.stderr), (1, ""))
        self.assertIn(f"{php}:4: LOST: onConnect runs in PHP's gateway process", found.stdout)
        php.write_text(made)
        fine = program.run("check", "--php", str(php))
        self.assertEqual((fine.returncode, fine.stderr), (0, ""))
        # What it prints is a file that can be used.
        config = program.directory / "g.toml"
        config.write_text(fine.stdout)
        self.assertIn('ping_interval = "25s"', fine.stdout)
        self.assertEqual(program.run("check", "-c", str(config)).returncode, 0)
        missing = program.run("check", "--php", str(php) + ".gone")
        self.assertEqual((missing.returncode, missing.stdout), (1, ""))

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_children_are_another_user(self):
        reachable = all(os.stat(parent).st_mode & 0o001 for parent in BIN.resolve().parents)
        if not reachable:
            self.skipTest(f"nobody cannot reach {BIN}")
        arguments, ports = self.echo("--user", "nobody")
        program = self.program("echo", *arguments)
        program.directory.chmod(0o755)
        self.addCleanup(program.run, "stop")
        started = program.run("start", "-d")
        self.assertEqual(started.returncode, 0, started.stderr)
        nobody = pwd.getpwnam("nobody")

        def ids(pid):
            with open(f"/proc/{pid}/status") as status:
                text = status.read()
            return [set(map(int, re.search(rf"^{key}:(.*)$", text, re.M).group(1).split())) for key in ("Uid", "Gid", "Groups")]

        status = program.status()
        for process in status["processes"]:
            self.assertEqual(ids(process["pid"])[:2], [{nobody.pw_uid}, {nobody.pw_gid}])
            self.assertNotIn(0, ids(process["pid"])[2])
        self.assertEqual(ids(status["pid"])[0], {0})
        with LineClient(ports[0]) as client:
            client.send("Ehello")
            self.assertEqual(client.receive(), "Ehello")
        # They can open the log again, too.
        log = program.directory / "echo.log"
        log.rename(program.directory / "echo.log.1")
        os.kill(status["pid"], signal.SIGURG)
        wait_until(lambda: log.exists() and os.stat(log).st_uid == nobody.pw_uid, what="a log of theirs")
        self.assertNotIn("goes on in the old one", (program.directory / "echo.log.1").read_text())


class ContainerTest(OperationsTest):
    @unittest.skipUnless(subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True).returncode == 0, "takes the right to unshare")
    def test_as_process_1_with_a_stale_pid_file(self):
        arguments, ports = self.echo()
        program = self.program("echo", *arguments)
        (program.directory / "echo.pid").write_text("1\n")  # what the container before this one left behind
        with open(program.log_path, "ab") as log:
            process = subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *program.command("start")],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(lambda: "Press Ctrl-C" in program.log() or process.poll() is not None, 60, "it is up")
            with LineClient(ports[0]) as client:
                client.send("Ehello")
                self.assertEqual(client.receive(), "Ehello")
            with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
                master = int(children.read())
            self.assertEqual(program.status()["pid"], 1)

            # What others leave behind becomes its child, and must not stay as a zombie.
            subprocess.run(["nsenter", "--pid", "--target", str(master), "sh", "-c", "(sleep 0.05 &) ; exit"], check=True, timeout=30)

            def has_others():
                with open(f"/proc/{master}/task/{master}/children") as children:
                    pids = children.read().split()
                return len(pids) != 3

            wait_until(lambda: not has_others(), what="only its three processes are its children")
            os.kill(master, signal.SIGTERM)
            self.assertEqual(process.wait(30), 0)
        finally:
            process.kill()
            process.wait()


class Manager(threading.Thread):
    """As systemd it reads each notice as it comes: the kernel keeps but ten, and one that finds no room is not sent again."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.told = []
        self.start()

    def run(self):
        while notice := self.socket.recv(4096):
            self.told.append(notice.decode())

    def end(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.socket.getsockname())
        self.join()
        self.socket.close()


class SystemdTest(OperationsTest):
    def notices(self, *words):
        """What the manager is told from now on, or from the end of the last answer, until each of `words` was among it."""
        begin = self.seen

        def all_told():
            for end in range(begin, len(self.manager.told) + 1):
                if all(any(word in notice for notice in self.manager.told[begin:end]) for word in words):
                    self.seen = end
                    return True
            return False

        wait_until(all_told, 30, f"{words} among what the manager is told")
        return self.manager.told[begin:self.seen]

    def start_under_manager(self, name, *arguments):
        program = self.program(name, *arguments)
        path = str(program.directory / "notify")
        self.manager, self.seen = Manager(path), 0
        self.addCleanup(self.manager.end)
        process = subprocess.Popen(program.command("start"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return program, process

    def test_notices(self):
        arguments, _ = self.echo()
        program, process = self.start_under_manager("echo", *arguments)
        seen = "".join(self.notices("READY=1", "WATCHDOG=1"))
        self.assertIn(f"MAINPID={process.pid}\n", seen)
        self.assertRegex(seen, r"STATUS=3 processes")
        with open(f"/proc/{program.pids('worker')[0]}/environ", "rb") as environment:
            self.assertNotIn(b"NOTIFY_SOCKET", environment.read())
        process.terminate()
        self.notices("STOPPING=1")
        self.assertEqual(process.wait(30), 0)

    def test_a_reload_is_told_from_its_begin_to_its_end(self):
        register, _, client = free_ports(3)
        program, process = self.start_under_manager("reloadable", "--register", f"127.0.0.1:{register}", "--start-port", register + 1,
                                                    "--listen", f"text://127.0.0.1:{client}", "--workers", 1)
        self.notices("READY=1")
        workers = program.pids("worker")
        # As ExecReload= of the unit does it.
        process.send_signal(signal.SIGUSR1)
        began = next(notice for notice in self.notices("RELOADING=1") if "RELOADING=1" in notice)
        # systemd compares it with the time at which it asked (Type=notify-reload).
        at = int(re.search(r"MONOTONIC_USEC=(\d+)\n", began)[1]) / 1e6
        self.assertLess(abs(time.monotonic() - at), 30)
        self.assertIn(f"READY=1\nMAINPID={process.pid}\n", self.notices("READY=1")[-1])
        self.assertFalse(set(workers) & set(program.pids("worker")), "it is over when it says so")
        process.terminate()
        self.assertEqual(process.wait(30), 0)


class FailuresTest(OperationsTest):
    def failing(self, *extra):
        port = free_ports(3)[0]
        return self.daemon("failing_worker", "--port", port, *extra), port

    def make_it_fail(self, program, client, word):
        """The pid that it cost; returns when another worker answers, on the same connection."""
        old = program.pids("worker")[0]
        client.send(word)
        wait_until(lambda: program.processes("worker")[0]["state"] == "running" and program.pids("worker")[0] != old, 30, self.log_of(program))
        client.send("print")
        client.receive_until("did print")
        return old

    def test_a_crash_is_explained(self):
        program, port = self.failing()
        with LineClient(port) as client:
            client.send("print")
            client.receive()
            rows = json.loads(program.run("connections", "--json").stdout)
            name = next(row["client_id"] for row in rows if row["kind"] == "client")
            old = self.make_it_fail(program, client, "segv")
        worker = program.processes("worker")[0]
        self.assertGreaterEqual(worker["restarts"], 1)
        if SANITIZED:
            return
        self.assertEqual(worker["last_exit"].split()[0], "SIGSEGV")
        self.assertRegex(self.log_of(program), rf"worker Worker:0 \(pid {old}\) ended: SIGSEGV.* in on_message of client {name}")
        wait_until(lambda: re.search(r"write_to_nowhere\(int volatile\*\).* at .*main\.cc:\d+", self.log_of(program)), 30, "its backtrace")
        trace = self.log_of(program).split("ended at", 1)[1]
        self.assertRegex(trace, r"^\n    #0 .*write_to_nowhere")
        self.assertRegex(trace, r"#1 .*Failing::on_message")

    def test_an_exit_is_explained(self):
        program, port = self.failing()
        with LineClient(port) as client:
            client.send("print")
            client.receive()
            self.make_it_fail(program, client, "exit")
        self.assertIn("ended: exit status 7 in on_message of client", self.log_of(program))

    def test_one_that_closes_all_descriptors_ends_and_is_replaced(self):
        program, port = self.failing()
        with LineClient(port) as client:
            client.send("print")
            client.receive()
            old = self.make_it_fail(program, client, "closefrom")
        self.assertRegex(self.log_of(program), rf"error +worker Worker:0 \[{old}\] descriptors of this process have been closed by code that")
        self.assertIn(f"worker Worker:0 (pid {old}) ended: exit status 1", self.log_of(program))

    def test_one_that_crashes_at_once(self):
        port = free_ports(3)[0]
        program = self.program("failing_worker", "--port", port, "--at-start")
        started = program.run("start", "-d")
        self.assertEqual(started.returncode, 1)
        self.assertRegex(started.stderr, r"worker Worker:0 ended (3 times|with SIGABRT) while starting")  # slowly, on a busy machine
        pauses = re.findall(r"started again in (\d+\.\d) s", self.log_of(program))
        self.assertTrue(pauses, self.log_of(program))
        self.assertEqual(pauses, sorted(pauses, key=float))
        if not SANITIZED:
            self.assertIn("in on_worker_start", self.log_of(program))

    def test_a_blocked_handler_is_told_of(self):
        program, port = self.failing("--blocked-after-ms", "700")  # more than a busy machine makes of a short handler
        with LineClient(port) as client:
            client.send("block 2000")
            self.assertEqual(client.receive(), "did block 2000")
        pattern = r"worker Worker:0 \(pid \d+\) has been held for \d\.\d s by on_message of client [0-9a-f]{20}; it is at"
        wait_until(lambda: re.search(pattern, self.log_of(program)), 30, self.log_of(program))
        self.assertRegex(self.log_of(program), r"#\d+ .*work_for_long\(.*main\.cc:\d+")
        wait_until(lambda: "goes on after" in self.log_of(program), what="the end of it in the log")
        worker = program.processes("worker")[0]
        self.assertEqual((worker["blocked"], worker["restarts"]), (1, 0))
        self.assertIn("1 times blocked", program.run("status").stdout)

    def test_every_handler_that_waits_for_too_long_is_told_of_completely(self):
        program, port = self.failing("--blocked-after-ms", "500")
        names = []
        for count in range(1, 11):
            with LineClient(port) as client:
                client.send("print")
                client.receive()
                address = "127.0.0.1:%d" % client.socket.getsockname()[1]
                rows = json.loads(program.run("connections", "--json").stdout)
                names.append(next(row["client_id"] for row in rows if row["kind"] == "client" and row["remote_address"] == address))
                client.send("wait 60000")  # until the question where it is ends it
                client.socket.settimeout(60)
                self.assertEqual(client.receive(), "did wait 60000")
            wait_until(lambda n=count: program.processes("worker")[0]["blocked"] == n, 30, "it is counted")
        pattern = r"has been held for \d\.\d s by on_message of client ([0-9a-f]{20}); it is at\n((?:    .*\n)+)"
        wait_until(lambda: len(re.findall(pattern, self.log_of(program))) == 10, 60, self.log_of(program))
        told = dict(re.findall(pattern, self.log_of(program)))  # in the order in which addr2line is done with them
        self.assertEqual(sorted(told), sorted(names))
        for trace in told.values():
            self.assertRegex(trace, r"wait_for_a_reply\(.*main\.cc:\d+")

    def test_a_blocked_worker_is_replaced_when_that_is_wanted(self):
        program, port = self.failing("--kill-blocked-after-ms", "1500")
        with LineClient(port) as client:
            client.send("print")
            client.receive()
            self.make_it_fail(program, client, "block 60000")
        self.assertRegex(self.log_of(program), r"held for \d+\.\d s by on_message of client [0-9a-f]{20} and is killed")
        self.assertEqual(program.processes("worker")[0]["last_exit"], "SIGKILL")


if __name__ == "__main__":
    unittest.main()
