"""What processes are made of: the configuration and the program file that the master was started with, whatever becomes of both on
disk, until a command says otherwise; and what `reload` gives to those that run."""
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest

from certificates import make_self_signed
from program import BIN, LineClient, Program, ProgramTest, free_ports, wait_until

HANDSHAKE = ("GET / HTTP/1.1\r\nHost: x\r\n{}Upgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


class ConfiguredTest(ProgramTest):
    """gatehouse with a register and gateways from a file."""

    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory(prefix="gatehouse-certificates-")
        cls.addClassCleanup(cls.made.cleanup)
        cls.certificates = pathlib.Path(cls.made.name)
        cls.own = make_self_signed(cls.certificates, "own", "localhost")

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.ports = free_ports(12)

    def configure(self, *blocks, instance=()):
        """Writes the file as an editor does that truncates it and writes it anew."""
        head = ["[instance]", *instance, "[register]", f'listen = "text://127.0.0.1:{self.ports[0]}"']
        self.config.write_text("\n".join(head + ["\n".join(block) for block in blocks]) + "\n")

    def gateway(self, name, listen, start_port, *lines):
        return ["[[gateway]]", f'name = "{name}"', f'listen = "{listen}"', f"start_port = {start_port}",
                f'register = ["127.0.0.1:{self.ports[0]}"]', *lines]

    def prepare(self):
        program = self.program("gatehouse")
        self.config = program.directory / "gatehouse.toml"
        program.arguments = ["-c", str(self.config)]
        return program

    def launch(self, program):
        self.addCleanup(program.stop)
        return program.start()

    def row(self, program, name):
        (row,) = [process for process in program.status()["processes"] if process["name"] == name]
        return row

    def kill_gateway(self, program, name):
        """kill -9; returns when another one runs in its place."""
        old = self.row(program, name)["pid"]
        os.kill(old, signal.SIGKILL)

        def replaced():
            row = self.row(program, name)
            return row["state"] == "running" and row["pid"] != old

        wait_until(replaced, 30, f"another {name}:\n{program.log()}")

    def ask(self, port, request, context=None):
        with contextlib.ExitStack() as opened:
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            if context:
                connection = opened.enter_context(context.wrap_socket(connection, server_hostname="localhost"))
            with contextlib.suppress(ConnectionError):
                connection.sendall(request.encode())
                return connection.recv(4096)
            return b""

    def trusting(self, certificate=None):
        context = ssl.create_default_context()
        context.load_verify_locations(certificate or self.own[0])
        return context


class RestartedChildTest(ConfiguredTest):
    def two_gateways(self):
        certificate, key = self.own
        public = self.gateway("public", f"wss://127.0.0.1:{self.ports[1]}", self.ports[2], f'tls_cert = "{certificate}"', f'tls_key = "{key}"',
                              'allowed_origins = ["https://mine"]')
        internal = self.gateway("internal", f"websocket://127.0.0.1:{self.ports[3]}", self.ports[4])
        return public, internal

    def check_public(self):
        plain = self.ask(self.ports[1], "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertNotIn(b"HTTP", plain, "its port speaks TLS and nothing else")
        foreign = self.ask(self.ports[1], HANDSHAKE.format("Origin: https://evil\r\n"), self.trusting())
        self.assertTrue(foreign.startswith(b"HTTP/1.1 403"), foreign)

    def test_another_order_of_the_file_does_not_give_a_port_to_another_gateway(self):
        program = self.prepare()
        public, internal = self.two_gateways()
        self.configure(public, internal)
        self.launch(program)
        before = [(p["name"], p["listening"]) for p in program.status()["processes"]]
        self.check_public()
        self.configure(internal, public)  # tomorrow's change is being prepared; no command is given
        self.kill_gateway(program, "public")
        self.check_public()
        self.kill_gateway(program, "internal")
        answer = self.ask(self.ports[3], "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 400"), answer)
        self.assertEqual([(p["name"], p["listening"]) for p in program.status()["processes"]], before)

    def test_other_addresses_in_the_file_are_not_shown(self):
        program = self.prepare()
        public, internal = self.two_gateways()
        self.configure(public, internal)
        self.launch(program)
        listening = self.row(program, "internal")["listening"]
        self.configure(public, self.gateway("internal", f"text://127.0.0.1:{self.ports[5]}", self.ports[6]))
        self.kill_gateway(program, "internal")
        self.assertEqual(self.row(program, "internal")["listening"], listening)
        self.assertTrue(self.ask(self.ports[3], "GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 400"))

    def test_a_half_saved_or_missing_file_keeps_no_gateway_down(self):
        program = self.prepare()
        public, internal = self.two_gateways()
        self.configure(public, internal)
        self.launch(program)
        whole = self.config.read_text()
        self.config.write_text(whole[:len(whole) // 2])
        self.kill_gateway(program, "public")
        self.check_public()
        self.config.unlink()
        self.kill_gateway(program, "internal")
        self.config.write_text(whole)

    def test_the_secret_is_not_in_the_environment(self):
        program = self.prepare()
        self.configure(self.gateway("web", f"text://127.0.0.1:{self.ports[1]}", self.ports[2]))
        self.config.write_text(self.config.read_text() + 'secret_key = "heron-7"\n')
        self.launch(program)
        for process in program.status()["processes"]:
            for file in ("environ", "cmdline"):
                self.assertNotIn(b"heron-7", pathlib.Path(f"/proc/{process['pid']}/{file}").read_bytes())
        self.assertNotIn("heron-7", program.log() + program.run("status", "--json").stdout)


class ReplacedProgramTest(ConfiguredTest):
    def copied(self, name):
        """A program that lies in the test's own directory."""
        program = self.prepare()
        program.name = name
        copy = program.directory / name
        shutil.copy(BIN / name, copy)
        program.command = lambda *words: [str(copy), *map(str, words), "--run-dir", str(program.directory), *program.arguments]
        return program, copy

    def test_a_restarted_child_is_of_the_file_that_the_master_was_started_from(self):
        program, copy = self.copied("gatehouse")
        self.configure(self.gateway("web", f"text://127.0.0.1:{self.ports[1]}", self.ports[2]))
        self.launch(program)
        for replace in ("another", "missing"):
            copy.unlink(missing_ok=True)
            if replace == "another":
                copy.write_text("#!/bin/sh\nexit 3\n")
                copy.chmod(0o755)
            self.kill_gateway(program, "web")
            with LineClient(self.ports[1]):
                pass
            master = os.stat(f"/proc/{program.process.pid}/exe")
            for row in Program.status(self.asking(program))["processes"]:
                child = os.stat(f"/proc/{row['pid']}/exe")
                self.assertEqual((child.st_dev, child.st_ino), (master.st_dev, master.st_ino))
                # A file that is executed by its descriptor has that number for a name, until the process gives itself one.
                self.assertRegex(pathlib.Path(f"/proc/{row['pid']}/comm").read_text(), r"^(gatehouse|gh-)", "what ps and top show")

    def asking(self, program):
        """The same instance, asked by the program of the build."""
        other = Program("gatehouse", *program.arguments)
        self.addCleanup(other.remove)
        other.command = lambda *words: [str(BIN / "gatehouse"), *map(str, words), "--run-dir", str(program.directory), *program.arguments]
        return other

    def row(self, program, name):
        return super().row(self.asking(program), name)

    def test_a_relative_program_path_and_a_relative_file(self):
        program, _ = self.copied("gatehouse")
        there = program.directory
        (there / "etc").mkdir()
        self.config = there / "etc" / "g.toml"
        certificate, key = self.own
        shutil.copy(certificate, there / "etc" / "a.pem")
        shutil.copy(key, there / "etc" / "a.key")
        self.configure(self.gateway("web", f"Text+TLS://127.0.0.1:{self.ports[1]}", self.ports[2], 'tls_cert = "a.pem"', 'tls_key = "a.key"'),
                       instance=['log_file = "g.log"'])
        command = ["./gatehouse", "start", "-d", "--run-dir", str(there), "-c", "etc/g.toml"]
        started = subprocess.run(command, cwd=there, capture_output=True, text=True, timeout=60, check=False)
        program.arguments = ["-c", str(self.config)]
        self.addCleanup(program.run, "stop")
        self.assertEqual(started.returncode, 0, started.stderr)
        self.assertTrue((there / "etc" / "g.log").exists(), "files count from the configuration's directory")
        self.kill_gateway(program, "web")
        with socket.create_connection(("127.0.0.1", self.ports[1]), timeout=20) as raw, self.trusting().wrap_socket(raw, server_hostname="localhost"):
            pass


class ReloadTest(ConfiguredTest):
    """Settings that the running processes take over; pids tell that they are the same ones."""

    def web(self, *lines, port=1, start=2, scheme="text", name="web"):
        return self.gateway(name, f"{scheme}://127.0.0.1:{self.ports[port]}", self.ports[start], *lines)

    def running(self, *blocks, instance=()):
        program = self.prepare()
        self.configure(*blocks, instance=instance)
        return self.launch(program)

    def reload(self, program, *blocks, instance=()):
        self.configure(*blocks, instance=instance)
        result = program.run("reload")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result

    def pids_of(self, program):
        return {process["name"]: process["pid"] for process in program.status()["processes"]}

    def test_a_wrong_file_changes_nothing(self):
        program = self.running(self.web())
        before, status = self.pids_of(program), program.status()["configuration"]
        for lines, words in ((["max_connections = 1", "colour = 1"], r'gatehouse.toml:\d+: unknown key "colour"'),
                             (["max_connections = 1", "count = 0"], r'gatehouse.toml:\d+: gateway "web": count: 0 processes cannot be'),
                             (["max_connections = ["], r"gatehouse.toml:\d+: ")):
            self.configure(self.web(*lines))
            result = program.run("reload")
            self.assertEqual(result.returncode, 1, result.stdout)
            # The command itself looks for the run directory in the file, and says so when it cannot.
            said = [line for line in result.stderr.splitlines() if "going on without its [instance]" not in line]
            self.assertEqual(len(said), 1, result.stderr)
            self.assertRegex(said[0], "gatehouse has not been reloaded, and everything is as it was: .*" + words)
        self.config.unlink()
        missing = program.run("reload")
        self.assertEqual(missing.returncode, 1)
        self.assertRegex(missing.stderr, "cannot read the configuration file .*gatehouse.toml: No such file")
        os.kill(program.process.pid, signal.SIGUSR1)
        wait_until(lambda: program.log().count("the reload failed") == 5, what="the line for the signal")
        with LineClient(self.ports[1]), LineClient(self.ports[1]):
            pass
        self.assertEqual(self.pids_of(program), before)
        self.assertEqual(program.status()["configuration"]["hash"], status["hash"])

    def test_limits_and_log_level_of_running_processes(self):
        program = self.running(self.web())
        before = self.pids_of(program)
        with LineClient(self.ports[1]) as one, LineClient(self.ports[1]) as two:
            wait_until(lambda: self.row(program, "web")["connections"] == 2, what="both are in")
            result = self.reload(program, self.web("max_connections = 2", "max_connections_per_address = 2"), instance=['log_level = "debug"'])
            self.assertIn('taken over: gateway "web": max_connections: 2, was 0', result.stdout)
            self.assertIn('taken over: log_level: "debug", was "info"', result.stdout)
            with LineClient(self.ports[1]) as three:
                self.assertTrue(three.is_closed())
            self.assertEqual(self.pids_of(program), before)
            for client in (one, two):  # nobody noticed
                client.socket.settimeout(0.05)
                self.assertRaises(TimeoutError, client.socket.recv, 1)
        self.kill_gateway(program, "web")
        wait_until(lambda: " debug   master" in program.log(), what="a line that nobody wanted before")

    def test_one_that_is_started_again_has_what_was_taken_over(self):
        program = self.running(self.web())
        self.reload(program, self.web("max_connections = 1"))
        self.configure(self.web("max_connections = 7"))  # of which nobody has been told
        self.kill_gateway(program, "web")
        with LineClient(self.ports[1]):
            wait_until(lambda: self.row(program, "web")["connections"] == 1, what="it is in")
            with LineClient(self.ports[1]) as two:
                self.assertTrue(two.is_closed())

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_a_file_for_root_alone_and_processes_of_another_user(self):
        reachable = all(os.stat(parent).st_mode & 0o001 for parent in BIN.resolve().parents)
        if not reachable:
            self.skipTest(f"nobody cannot reach {BIN}")
        program = self.prepare()
        self.configure(self.web(), instance=['user = "nobody"'])
        program.directory.chmod(0o755)
        self.config.chmod(0o600)
        self.launch(program)
        self.kill_gateway(program, "web")
        result = self.reload(program, self.web("max_connections = 3"), instance=['user = "nobody"'])
        self.assertIn("max_connections: 3, was 0", result.stdout)

    def test_what_takes_a_restart_is_named_and_left(self):
        program = self.running(self.web(), self.web(name="more", port=3, start=4))
        listening = self.row(program, "web")["listening"]
        result = self.reload(program, self.web("max_connections = 1", port=5, start=2))
        self.assertIn('taken over: gateway "web": max_connections: 1, was 0', result.stdout)
        for words in (r'restart: gateway "web": listen: ', r'restart: gateway "more" is not there any more'):
            self.assertRegex(result.stderr, words)
        self.kill_gateway(program, "web")
        self.assertEqual(self.row(program, "web")["listening"], listening)
        with LineClient(self.ports[1]), LineClient(self.ports[3]):
            pass
        needed = program.status()["configuration"]["needs_restart"]
        self.assertEqual(len(needed), 2, needed)
        self.assertIn("since it takes a restart: " + needed[0], program.run("status").stdout)

    def test_check_shows_the_difference_beforehand(self):
        program = self.running(self.web())
        same = program.run("check", "--against-running")
        self.assertEqual(same.returncode, 0, same.stderr)
        self.assertIn("runs with just these settings", same.stdout)
        self.configure(self.web("max_connections = 1", port=5, start=2))
        shown = program.run("check", "--against-running")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn('reload takes over: gateway "web": max_connections: 1, was 0', shown.stdout)
        self.assertIn('takes a restart: gateway "web": listen: ', shown.stdout)
        with LineClient(self.ports[1]), LineClient(self.ports[1]):
            wait_until(lambda: self.row(program, "web")["connections"] == 2, what="nothing has been taken over")

    def test_more_gateways_and_processes(self):
        program = self.running(self.web(start=6))
        before = self.pids_of(program)
        result = self.reload(program, self.web(name="more", port=3, start=4), self.web("count = 2", start=6))
        self.assertIn("2 processes added", result.stdout)
        rows = wait_until(lambda: [r for r in [program.processes("gateway")] if all(p["state"] == "running" for p in r)], what="they run")[0]
        self.assertEqual(sorted((row["name"], row["index"]) for row in rows), [("more", 0), ("web", 0), ("web", 1)])
        for name, pid in before.items():
            self.assertIn((name, pid), [(p["name"], p["pid"]) for p in program.status()["processes"]])
        with LineClient(self.ports[3]):
            wait_until(lambda: self.row(program, "more")["connections"] == 1, what="the new one has it")
        self.kill_gateway(program, "more")
        result = self.reload(program, self.web("count = 3", start=6))
        self.assertIn("1 processes added", result.stdout)
        self.assertIn('"more" is not there any more', result.stderr)

    def test_a_port_that_is_taken_changes_nothing(self):
        program = self.running(self.web())
        with socket.create_server(("127.0.0.1", self.ports[3])):
            self.configure(self.web("max_connections = 1"), self.web(name="more", port=3, start=4))
            result = program.run("reload")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r'gateway "more": listen: 127.0.0.1:\d+ is in use by another program')
        with LineClient(self.ports[1]), LineClient(self.ports[1]):
            wait_until(lambda: self.row(program, "web")["connections"] == 2, what="no limit")
        self.assertIn("1 processes added", self.reload(program, self.web(), self.web(name="more", port=3, start=4)).stdout)

    def test_certificates_and_origins(self):
        certificate, key = self.own
        other = make_self_signed(self.certificates, "second", "localhost")
        lines = [f'tls_cert = "{certificate}"', f'tls_key = "{key}"']
        program = self.running(self.web(*lines, scheme="wss"))
        pid = self.row(program, "web")["pid"]
        request = HANDSHAKE.format("Origin: https://evil\r\n")
        with self.assertRaises(ssl.SSLError):
            self.ask(self.ports[1], request, self.trusting(other[0]))
        self.reload(program, self.web(f'tls_cert = "{other[0]}"', f'tls_key = "{other[1]}"', 'allowed_origins = ["https://mine"]', scheme="wss"))
        self.assertTrue(self.ask(self.ports[1], request, self.trusting(other[0])).startswith(b"HTTP/1.1 403"))
        with self.assertRaises(ssl.SSLError):
            self.ask(self.ports[1], request, self.trusting())
        self.assertEqual(self.row(program, "web")["pid"], pid)

    def register_says(self, secret):
        with LineClient(self.ports[0]) as worker:
            worker.socket.sendall(json.dumps({"event": "worker_connect", "secret_key": secret}).encode() + b"\n")
            try:
                return worker.receive()
            except ConnectionError:
                return ""

    def test_the_old_secret_is_accepted_for_a_time(self):
        def config(secret):
            self.config.write_text("\n".join(["[register]", f'listen = "text://127.0.0.1:{self.ports[0]}"', f'secret_key = "{secret}"',
                                              *self.web(f'secret_key = "{secret}"')]) + "\n")

        program = self.prepare()
        config("first")
        self.launch(program)
        announced = wait_until(lambda: [line for line in [self.register_says("first")] if str(self.ports[2]) in line], what="the gateway is known")
        config("second-heron")
        result = program.run("reload")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("secret_key: changed", result.stdout)
        for secret in ("first", "second-heron"):
            self.assertEqual(self.register_says(secret), announced[0], "the gateway's link has stayed")
        self.assertEqual(self.register_says("third"), "")
        self.kill_gateway(program, "web")
        self.kill_gateway(program, "Register")
        wait_until(lambda: self.register_says("second-heron") == announced[0], what="it is known again")
        self.assertEqual(self.register_says("first"), announced[0], "also after a death")
        everything = program.log() + result.stdout + program.run("status", "--json").stdout + program.run("status").stdout
        self.assertNotIn("heron", everything)

    def test_status_names_the_configuration(self):
        program = self.running(self.web())
        told = program.status()["configuration"]
        self.assertEqual(told["hash"], hashlib.sha256(self.config.read_bytes()).hexdigest())
        self.assertEqual(told["files"], [str(self.config)])
        self.assertLess(told["age_seconds"], 60)
        self.assertIn(f"configuration {told['hash'][:12]} of {self.config}, taken over ", program.run("status").stdout)
        self.reload(program, self.web("max_connections = 9"))
        self.assertEqual(program.status()["configuration"]["hash"], hashlib.sha256(self.config.read_bytes()).hexdigest())


class WorkersTest(ConfiguredTest):
    def test_counts_of_workers(self):
        program = self.prepare()
        program.name = "reloadable"
        program.arguments = ["--register", f"127.0.0.1:{self.ports[0]}", "--listen", f"text://127.0.0.1:{self.ports[1]}", "--start-port", self.ports[2],
                             "--workers-file", self.config]
        program.arguments = [str(argument) for argument in program.arguments]
        self.config.write_text("1")
        self.launch(program)
        for count in (3, 2, 0, 1):
            self.config.write_text(str(count))
            with LineClient(self.ports[1]) as client:
                result = program.run("reload")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertRegex(result.stdout, f"{count} workers replaced")
                wait_until(lambda n=count: len(program.processes("worker")) == n, what=f"{count} workers")
                if count > 0:
                    client.send("hello")
                    self.assertIn("hello", client.receive())
        self.config.write_text("many")
        result = program.run("reload")
        self.assertEqual(result.returncode, 1)
        self.assertIn("stoi", result.stderr)
        self.assertEqual([p["state"] for p in program.processes("worker")], ["running"])
        program.kill("worker")
        self.assertEqual(len(program.processes("worker")), 1, "of the last reload that went well")


class CheckTest(ConfiguredTest):
    def expect(self, lines, words):
        self.configure(*lines)
        result = self.checked.run("check")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertRegex(result.stderr, words)
        self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_what_can_never_work_is_refused(self):
        self.checked = self.prepare()
        web = self.gateway("web", f"Websocket://127.0.0.1:{self.ports[1]}", self.ports[2])
        self.configure(web)
        self.assertEqual(self.checked.run("check").returncode, 0, "GatewayWorker's demos write it so")
        self.expect([web, self.gateway("web", f"text://127.0.0.1:{self.ports[3]}", self.ports[4])], r'gatehouse.toml:10: gateway "web": name: another gateway has this name already')
        self.expect([web + ["max_package_size = 40000000"]], r"max_package_size: 40000000 bytes cannot be; 33488896 at most")
        self.configure(web, instance=['user = "no-such-user"'])
        result = self.checked.run("check")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r'gatehouse.toml:2: user: there is no user "no-such-user" on this machine')


if __name__ == "__main__":
    unittest.main()
