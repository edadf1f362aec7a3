"""What processes are made of: the configuration and the program file that the master was started with, whatever becomes of both on
disk, until a command says otherwise."""
import contextlib
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

    def configure(self, *blocks, instance=()):
        """Writes the file as an editor does that truncates it and writes it anew."""
        head = ["[instance]", *instance, "[register]", f'listen = "text://127.0.0.1:{self.ports[0]}"']
        self.config.write_text("\n".join(head + ["\n".join(block) for block in blocks]) + "\n")

    def gateway(self, name, listen, start_port, *lines):
        return ["[[gateway]]", f'name = "{name}"', f'listen = "{listen}"', f"start_port = {start_port}",
                f'register = ["127.0.0.1:{self.ports[0]}"]', *lines]

    def prepare(self):
        self.ports = free_ports(12)
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
                self.assertEqual(pathlib.Path(f"/proc/{row['pid']}/comm").read_text().strip(), "gatehouse", "what ps and top show")

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
