"""What an operator changes while an instance runs: log level, denied addresses, one process alone; the access log, the health path, and
what ps and top show."""
import asyncio
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest

import certificates
from program import BIN, LineClient, ProgramTest, free_ports, is_listening, open_websocket, wait_until


def cmdline(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()


def comm(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


class OperatorTest(ProgramTest):
    def change(self, program, *words):
        """A command that has to go well; what it says."""
        result = program.run(*words)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def refused(self, program, *words):
        """One that must not; its one line."""
        result = program.run(*words)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        return result.stderr

    def process(self, program, name):
        return next(p for p in program.status()["processes"] if f"{p['name']}:{p['index']}" == name)

    def says(self, client, words):
        client.send(f"E{words}")
        self.assertEqual(client.receive(), f"E{words}")

    def gatehouse(self, text, **values):
        """The ready-made program with this configuration, not started."""
        program = self.program("gatehouse")
        config = program.directory / "g.toml"
        config.write_text(text.format(there=program.directory, **values))
        program.arguments = ["-c", str(config)]
        return program


class LogLevelTest(OperatorTest):
    def say_too_much(self, port):
        with LineClient(port) as client:
            with contextlib.suppress(ConnectionError):
                client.socket.sendall(b"x" * 1_100_000)
            self.assertTrue(client.is_closed())

    def test_it_reaches_all_processes_and_those_that_come_later(self):
        program, (port,) = self.start_echo("text")
        self.assertEqual(self.change(program, "log-level"), "the log level of echo is info\n")
        with LineClient(port) as client:
            self.says(client, "quiet")
        self.assertNotIn(" debug ", program.log())
        self.assertIn("the log level of echo is debug; info is configured", self.change(program, "log-level", "debug"))
        self.assertEqual(program.status()["log_level"], "debug")
        self.assertIn("log level debug", program.run("status").stdout)
        # A gateway says of a client whose message is over the limit why it goes, at this level only.
        self.say_too_much(port)
        wait_until(lambda: re.search(r" debug +gateway EchoGateway:0 ", program.log()), what="a line of a gateway")
        program.kill("gateway")
        program.wait_until_joined(1)
        before = len(re.findall(r" debug +gateway EchoGateway:0 .* over ", program.log()))
        self.say_too_much(port)
        wait_until(lambda: len(re.findall(r" debug +gateway EchoGateway:0 .* over ", program.log())) > before, what="a line of the new one")
        self.change(program, "log-level", "info")
        self.assertEqual(program.status()["log_level"], "info")

    def test_it_goes_back_by_itself(self):
        program, _ = self.start_echo("text")
        said = self.change(program, "log-level", "debug", "--for", "1h")
        self.assertRegex(said, r"is debug for 1h 0m, and info then|is debug for 59m \d+s, and info then")
        self.assertGreater(program.status()["log_level_seconds_left"], 3500)
        self.change(program, "log-level", "error", "--for", "300ms")
        wait_until(lambda: program.status()["log_level"] == "info", what="the configured one")
        self.assertIn("the log level is info from here on", program.log())

    def test_mistakes_are_one_line(self):
        program, _ = self.start_echo("text")
        self.assertIn("none of debug, info, warning, error", self.refused(program, "log-level", "loud"))
        self.assertIn("is no time", self.refused(program, "log-level", "debug", "--for", "soon"))
        self.assertEqual(program.status()["log_level"], "info")


class DenyTest(OperatorTest):
    def limits(self, program):
        return sum((p["limits"] or {}).get("denied", 0) for p in program.processes("gateway"))

    def is_let_in(self, port):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            try:
                client.sendall(b"Eho\n")
                return client.recv(100) != b""
            except ConnectionError:
                return False

    def test_those_who_are_in_are_cut_in_every_gateway_and_nobody_comes_in(self):
        program, (one, other) = self.start_echo("text", "text")
        clients = [LineClient(port) for port in (one, other) * 4]
        for client in clients:
            self.addCleanup(client.close)
            self.says(client, "here")
        self.assertIn("0 clients of it are disconnected", self.change(program, "deny", "2001:db8::/32"))
        self.assertEqual(self.change(program, "deny", "127.0.0.0/8", "1h"), "127.0.0.0/8 is denied for 1h 0m; 8 clients of it are disconnected\n")
        for client in clients:
            self.assertTrue(client.is_closed())
        self.assertFalse(self.is_let_in(one) or self.is_let_in(other))
        self.assertEqual(self.limits(program), 2)
        listed = json.loads(self.change(program, "deny", "--list", "--json"))
        self.assertEqual([entry["range"] for entry in listed], ["2001:db8::/32", "127.0.0.0/8"])
        self.assertEqual(listed[0]["seconds_left"], None)
        self.assertGreater(listed[1]["seconds_left"], 3500)
        self.assertRegex(self.change(program, "deny", "--list"), r"2001:db8::/32 +for good\n127\.0\.0\.0/8 +(1h 0m|59m \d+s)\n")
        self.assertEqual(program.status()["denied_ranges"], 2)
        self.assertIn("2 ranges of addresses denied", program.run("status").stdout)

        # One that is started later has the list from the master.
        program.kill("gateway")
        self.assertFalse(any(self.is_let_in(one) for _ in range(10)))
        self.change(program, "allow", "127.0.0.0/8")
        program.wait_until_joined(1)
        self.assertTrue(self.is_let_in(one) and self.is_let_in(other))
        self.assertLess(len(re.findall(r"warning +gateway \S+ \[\d+\] limit denied: ", program.log())), 12, "not a line for each client")

    def test_it_is_over_when_its_time_is(self):
        program, (port,) = self.start_echo("text")
        self.change(program, "deny", "127.0.0.1", "500ms")
        wait_until(lambda: self.is_let_in(port), what="it is over")
        self.assertEqual(self.change(program, "deny", "--list"), "no address is denied\n")
        wait_until(lambda: "127.0.0.1 is not denied any more" in program.log(), what="a line about it")

    async def test_websocket_clients_hear_1008(self):
        program, (port,) = self.start_echo("websocket")
        async with open_websocket(f"ws://127.0.0.1:{port}") as client:
            await client.send("Eho")
            await client.recv()
            # The command waits for the gateway, not for this client.
            await asyncio.to_thread(self.change, program, "deny", "127.0.0.1", "1h")
            await asyncio.wait_for(client.wait_closed(), 20)
            self.assertEqual((client.close_code, client.close_reason), (1008, "denied"))

    def test_mistakes_are_one_line(self):
        program, (port,) = self.start_echo("text")
        for words, expected in ((["deny"], "which address?"), (["deny", "localhost"], "neither an IP address"), (["deny", "10.0.0.1/8"], "the range is 10.0.0.0/8"),
                                (["deny", "10.0.0.0/8", "later"], "no time"), (["allow", "10.0.0.0/8"], "10.0.0.0/8 is not denied"),
                                (["deny", "10.0.0.0/8", "1h", "more"], "unexpected argument")):
            self.assertIn(expected, self.refused(program, *words))
        self.change(program, "deny", "10.0.0.0/8")
        self.assertIn("is denied as a part of 10.0.0.0/8; allow that", self.refused(program, "allow", "10.1.0.0/16"))
        self.change(program, "deny", "10.1.0.0/16")
        self.assertIn("but for 10.0.0.0/8", self.change(program, "allow", "10.1.0.0/16"))
        self.assertTrue(self.is_let_in(port))


class OneProcessTest(OperatorTest):
    def clients_by_process(self, program):
        return {p["index"]: p["connections"] for p in program.processes("gateway")}

    def test_a_gateway_process_leaves_alone(self):
        program, (port,) = self.start_echo("text", gateways=2)
        clients = []
        self.addCleanup(lambda: [client.close() for client in clients])

        def has_some(*wanted):
            """Comes in bursts, of which every process has a part."""
            burst = [LineClient(port) for _ in range(40)]
            for client in burst:
                self.says(client, "hello")
            clients.extend(burst)
            there = self.clients_by_process(program)
            return all(there[index] for index in wanted)

        wait_until(lambda: has_some(0, 1), 60, "clients at both")
        rows = json.loads(program.run("connections", "--json").stdout)
        of_first = {row["remote_address"] for row in rows if row["kind"] == "client" and row["process"]["index"] == 0}
        leaving = subprocess.Popen(program.command("stop", "-g", "EchoGateway:0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(leaving.kill)
        wait_until(lambda: self.process(program, "EchoGateway:0")["state"] == "leaving", what="it leaves")
        self.assertEqual(self.process(program, "EchoGateway:0")["connections"], len(of_first), "what is left is shown")
        for _ in range(20):
            clients.append(LineClient(port))
            self.says(clients[-1], "a new one")
        self.assertEqual(self.process(program, "EchoGateway:0")["connections"], len(of_first), "none of the new ones")
        for client in clients:
            self.says(client, "still served")
        for client in list(clients):
            if f"127.0.0.1:{client.socket.getsockname()[1]}" in of_first:
                client.close()
                clients.remove(client)
        out, err = leaving.communicate(timeout=60)
        self.assertEqual((leaving.returncode, err), (0, ""))
        self.assertEqual(out, 'gateway EchoGateway:0 has been stopped; "start EchoGateway:0" starts it again\n')
        stopped = self.process(program, "EchoGateway:0")
        self.assertEqual((stopped["state"], stopped["held"], stopped["restarts"], stopped["pid"]), ("stopped", True, 0, None))
        self.assertIn('stopped by an operator, until "start" with its name', program.run("status").stdout)
        for client in clients:
            self.says(client, "at the other one")

        # Nothing but a start with its name brings it back.
        self.change(program, "reload")
        self.assertEqual(self.process(program, "EchoGateway:0")["state"], "stopped")
        self.assertRegex(self.change(program, "start", "EchoGateway:0"), r"^gateway EchoGateway:0 has been started, pid \d+\n$")
        program.wait_until_joined(1)

        wait_until(lambda: has_some(0), 60, "clients at the first again")

    def test_its_clients_have_so_much_time_and_no_more(self):
        program, (port,) = self.start_echo("text")
        with LineClient(port) as client:
            self.says(client, "hello")
            said = self.change(program, "stop", "-g", "EchoGateway:0", "--graceful-timeout", "0.2")
            self.assertIn("not all of its clients had gone", said)
            self.assertTrue(client.is_closed())
        # Nobody is left who would take a client: the port says so.
        self.assertFalse(is_listening(port))
        self.change(program, "start", "EchoGateway:0")
        program.wait_until_joined(1)
        with LineClient(port) as client:
            self.says(client, "hello again")

    def test_a_new_client_of_the_last_one_is_refused_while_it_leaves(self):
        program, (port,) = self.start_echo("text")
        with LineClient(port) as client:
            self.says(client, "hello")
            leaving = subprocess.Popen(program.command("stop", "-g", "EchoGateway:0"), stdout=subprocess.DEVNULL)
            self.addCleanup(leaving.kill)
            wait_until(lambda: not is_listening(port), what="the port refuses")
            self.says(client, "still served")
            # In a hurry after all.
            self.change(program, "stop", "EchoGateway:0")
            self.assertTrue(client.is_closed())
        self.assertEqual(leaving.wait(60), 0)

    def test_a_worker_leaves_alone_and_the_others_have_its_clients(self):
        program, (port,) = self.start_echo("text", workers=2)
        with LineClient(port) as one, LineClient(port) as other:
            for client in (one, other):
                self.says(client, "hello")
            self.change(program, "stop", "-g", "EchoWorker:1")
            for client in (one, other):
                self.says(client, "still served")
            pid = self.process(program, "EchoWorker:0")["pid"]
            self.change(program, "reload")
            self.assertNotEqual(self.process(program, "EchoWorker:0")["pid"], pid)
            self.assertEqual(self.process(program, "EchoWorker:1")["state"], "stopped")
            self.change(program, "start", "EchoWorker:1")
            program.wait_until_joined(2)
            for client in (one, other):
                self.says(client, "and again")

    def test_stop_of_all_takes_what_is_stopped_or_leaving_with_it(self):
        program, (port,) = self.start_echo("text", gateways=2)
        self.change(program, "stop", "EchoGateway:1")
        with LineClient(port) as client:
            self.says(client, "hello")
            leaving = subprocess.Popen(program.command("stop", "-g", "EchoGateway:0"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(leaving.wait)
            wait_until(lambda: self.process(program, "EchoGateway:0")["state"] == "leaving", what="it leaves")
            program.stop()

    def test_mistakes_are_one_line(self):
        program, _ = self.start_echo("text")
        for words, expected in ((["stop", "-g", "EchoGateway:7"], 'there is no process "EchoGateway:7"; there are Register:0, EchoGateway:0, EchoWorker:0'),
                                (["start", "web:0"], 'there is no process "web:0"'), (["start", "EchoGateway:0"], "is running already"),
                                (["stop", "EchoGateway"], 'unexpected argument "EchoGateway"; a process is called as in status'),
                                (["stop", "-g", "Register:0"], "leave -g out")):
            self.assertIn(expected, self.refused(program, *words))
        self.assertEqual({p["state"] for p in program.status()["processes"]}, {"running"})


class AccessLogTest(OperatorTest):
    TEXT = """
[instance]
log_format = "{form}"
[register]
listen = "text://127.0.0.1:{register}"
[[gateway]]
name = "web"
listen = "text://127.0.0.1:{port}"
count = 2
start_port = {inner}
register = ["127.0.0.1:{register}"]
access_log = "{there}/access.log"
"""

    def configured(self, form="text", change=lambda text: text):
        """A program that is not started, its register and the clients' port."""
        register, port, inner, _ = free_ports(4)
        return self.gatehouse(change(self.TEXT), form=form, register=register, port=port, inner=inner), register, port

    def start_with_worker(self, program, register):
        self.addCleanup(program.stop)
        program.start()
        # It has no worker of its own: one from elsewhere.
        self.start("native_worker", "--register", f"127.0.0.1:{register}")
        program.wait_until_joined(1)

    def come_and_go(self, port, count):
        for _ in range(count):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                client.sendall(b"some words\n")
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):  # closed with something unread it would be a lost connection
                    pass

    def test_two_processes_write_one_file_and_it_is_rotated(self):
        program, register, port = self.configured("json")
        self.start_with_worker(program, register)
        log = program.directory / "access.log"

        def entries(path):
            return [json.loads(line) for line in path.read_text().splitlines()]

        self.come_and_go(port, 200)
        wait_until(lambda: len(entries(log)) == 400, what="all lines")
        ends = [entry for entry in entries(log) if entry["event"] == "end"]
        self.assertEqual({entry["reason"] for entry in ends}, {"client_closed"})
        self.assertEqual({entry["bytes_in"] for entry in ends}, {len("some words\n")})
        self.assertEqual({entry["client_id"] for entry in ends}, {entry["client_id"] for entry in entries(log) if entry["event"] == "connect"})
        self.assertLessEqual({entry["pid"] for entry in ends}, set(program.pids("gateway")))

        log.rename(log.with_suffix(".1"))
        os.kill(program.status()["pid"], signal.SIGURG)
        wait_until(log.exists, what="a new file")
        before = len(entries(log.with_suffix(".1")))
        self.assertEqual(before, 400)
        wait_until(lambda: program.log().count("the log has been opened again") == 1, what="the master has")

        def new_ones():
            self.come_and_go(port, 1)
            return len(entries(log)) >= 4

        wait_until(new_ones, what="lines in the new file")

    def test_nothing_is_written_where_it_is_off_and_a_bad_path_is_named_before_anything_starts(self):
        program, register, port = self.configured(change=lambda text: text.replace("{there}/access.log", "{there}/no/such/access.log"))
        said = self.refused(program, "start", "-d")
        self.assertRegex(said, r'gateway "web": access_log: .*no/such/access.log: No such file or directory')
        program, register, port = self.configured(change=lambda text: text.replace("{there}/access.log", ""))
        self.start_with_worker(program, register)
        self.come_and_go(port, 5)
        self.assertEqual([path.name for path in program.directory.iterdir() if "access" in path.name], [])

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_a_file_that_only_root_can_make_is_given_to_the_processes(self):
        if not all(os.stat(parent).st_mode & 0o001 for parent in BIN.resolve().parents):
            self.skipTest(f"nobody cannot reach {BIN}")
        program, register, port = self.configured(change=lambda text: text.replace("[instance]", '[instance]\nuser = "nobody"'))
        program.directory.chmod(0o755)
        self.start_with_worker(program, register)
        log = program.directory / "access.log"
        self.come_and_go(port, 1)
        wait_until(lambda: len(log.read_text().splitlines()) == 2, what="both lines")
        log.rename(program.directory / "access.log.1")
        os.kill(program.status()["pid"], signal.SIGURG)
        wait_until(lambda: program.log().count("the log has been opened again") == 1, what="the master has")

        def new_ones():
            self.come_and_go(port, 1)
            return log.exists() and log.read_text()

        wait_until(new_ones, what="lines in the new file")
        self.assertNotIn("goes on in the old one", program.log())


class HealthTest(OperatorTest):
    TEXT = """
[register]
listen = "text://127.0.0.1:{register}"
[[gateway]]
name = "web"
listen = "{scheme}://127.0.0.1:{port}"
start_port = {inner}
register = ["127.0.0.1:{register}"]
health_path = "/healthz"
{more}
"""

    def start_with_path(self, scheme="websocket", more=""):
        register, port, inner = free_ports(3)
        program = self.gatehouse(self.TEXT, scheme=scheme, register=register, port=port, inner=inner, more=more)
        self.addCleanup(program.stop)
        program.start()
        return program, port, register

    def worker(self, register):
        return self.start("native_worker", "--register", f"127.0.0.1:{register}")

    def ask(self, port, method="GET", context=None):
        """The status and the body; as curl does."""
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            probe = context.wrap_socket(plain, server_hostname="localhost") if context else plain
            probe.sendall(f"{method} /healthz HTTP/1.1\r\nHost: probe\r\n\r\n".encode())
            answer = b""
            while chunk := probe.recv(65536):
                answer += chunk
            probe.close()
        head, body = answer.split(b"\r\n\r\n", 1)
        return int(head.split()[1]), body

    def test_it_follows_the_workers(self):
        program, port, register = self.start_with_path()
        self.assertEqual(self.ask(port), (503, b"no workers\n"))
        worker = self.worker(register)
        wait_until(lambda: self.ask(port) == (200, b"ok\n"), 60, "a worker is there")
        self.assertEqual(self.ask(port, "HEAD"), (200, b""))
        before = program.log()
        for _ in range(20):
            self.ask(port)
        status = program.processes("gateway")[0]
        self.assertEqual((status["connections"], status["messages_in"], status["limits"]), (0, 0, {}))
        self.assertEqual(program.log(), before)
        worker.stop()
        wait_until(lambda: self.ask(port) == (503, b"no workers\n"), 60, "none is left")

    def test_over_tls(self):
        with tempfile.TemporaryDirectory() as directory:
            cert, key = certificates.make_self_signed(pathlib.Path(directory), "web", "localhost")
            program, port, register = self.start_with_path("wss", f'tls_cert = "{cert}"\ntls_key = "{key}"')
            context = ssl.create_default_context(cafile=str(cert))
            self.assertEqual(self.ask(port, context=context), (503, b"no workers\n"))
            self.worker(register)
            wait_until(lambda: self.ask(port, context=context) == (200, b"ok\n"), 60, "a worker is there")
            program.stop()

    async def test_while_clients_are_waited_for_it_says_so(self):
        program, port, register = self.start_with_path()
        self.worker(register)
        await asyncio.to_thread(wait_until, lambda: self.ask(port)[0] == 200, 60, "a worker is there")
        client = await open_websocket(f"ws://127.0.0.1:{port}")
        leaving = subprocess.Popen(program.command("stop", "-g"), stdout=subprocess.DEVNULL)
        self.addCleanup(leaving.wait)
        await asyncio.to_thread(wait_until, lambda: self.ask(port) == (503, b"draining\n"), 60, "it says so")
        refused = await asyncio.to_thread(self.handshake, port)
        self.assertTrue(refused.startswith(b"HTTP/1.1 503 "), refused)
        await client.close()
        self.assertEqual(await asyncio.to_thread(leaving.wait, 60), 0)
        self.assertFalse(is_listening(port))

    def handshake(self, port):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            return client.recv(4096)

    def test_a_path_that_cannot_be_is_named(self):
        program = self.gatehouse(self.TEXT.replace('"/healthz"', '"healthz"'), scheme="websocket", register=1236, port=8282, inner=2900, more="")
        self.assertIn('health_path: "healthz" is no path', self.refused(program, "check"))
        program = self.gatehouse(self.TEXT, scheme="text", register=1236, port=8282, inner=2900, more="")
        self.assertIn("only websocket has paths", self.refused(program, "check"))


class TitlesTest(OperatorTest):
    def test_ps_and_top_show_who_each_process_is(self):
        program, (port,) = self.start_echo("websocket", gateways=2)
        status = program.status()
        self.assertTrue(cmdline(status["pid"]).startswith(f"echo: master {BIN.resolve() / 'echo'} start --run-dir "), cmdline(status["pid"]))
        self.assertEqual(comm(status["pid"]), "echo", "killall by the program's name ends the master, which ends the others in order")
        shown = {cmdline(p["pid"]): comm(p["pid"]) for p in status["processes"]}
        register = next(p["listening"] for p in status["processes"] if p["role"] == "register")
        self.assertEqual(shown, {
            f"echo: register Register:0 {register}": "gh-register",
            f"echo: gateway EchoGateway:0 websocket://127.0.0.1:{port}": "gh-gateway",
            f"echo: gateway EchoGateway:1 websocket://127.0.0.1:{port}": "gh-gateway",
            "echo: worker EchoWorker:0": "gh-worker",
        })
        ps = subprocess.run(["ps", "-o", "args=", "-p", ",".join(str(p["pid"]) for p in status["processes"])], capture_output=True, text=True, check=True).stdout
        self.assertEqual(set(ps.split("\n")) - {""}, set(shown))

    def test_however_it_is_started(self):
        """By a relative name, by a link of another name, as a daemon."""
        with tempfile.TemporaryDirectory() as directory:
            link = pathlib.Path(directory) / "other"
            link.symlink_to(BIN.resolve() / "echo")
            for word in ("./echo", str(link)):
                ports = free_ports(3)
                program = self.program("echo", "--listen", f"text://127.0.0.1:{ports[0]}", "--register", f"127.0.0.1:{ports[1]}", "--start-port",
                                       ports[2], "--instance", "second")
                started = subprocess.run([word, "start", "-d", *program.command()[1:]], cwd=BIN, capture_output=True, text=True, timeout=60)
                self.addCleanup(program.run, "stop")
                self.assertEqual(started.returncode, 0, started.stderr)
                self.assertEqual(cmdline(program.pids("gateway")[0]), f"second: gateway EchoGateway:0 text://127.0.0.1:{ports[0]}")
                with LineClient(ports[0]) as client:
                    self.says(client, "hello")
                program.run("stop")

    def test_what_a_process_was_given_stays_readable(self):
        """The title is shown in its place: the environment, and the arguments in memory, are as they were."""
        program, _ = self.start_echo("text")
        environment = pathlib.Path(f"/proc/{program.pids('worker')[0]}/environ").read_bytes().split(b"\0")
        self.assertIn(b"PATH=" + os.environb[b"PATH"], environment)


if __name__ == "__main__":
    unittest.main()
