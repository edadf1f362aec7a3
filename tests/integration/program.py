"""Starts programs of the build as a user would, and takes them down again whatever happens."""
import asyncio
import contextlib
import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import websockets

BIN = pathlib.Path(os.environ.get("GATEHOUSE_BIN_DIR", pathlib.Path(__file__).parents[2] / "build" / "dev" / "bin"))
OUTPUT = pathlib.Path(os.environ.get("GATEHOUSE_TEST_OUTPUT", pathlib.Path(__file__).parents[2] / "test-output"))

# What the sanitizers print. A child's report goes to the program's log like everything else it says.
ALARMS = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "Assertion", "terminate called")


def wait_until(condition, seconds=20, what="the condition"):
    """Polls until `condition()` is true and returns its value. Sanitized builds on a busy machine are slow: the limit is generous."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class PortBlock:
    """Ports from below the kernel's own range, so that no outgoing connection takes one; no other test has them while this
    process lives."""

    SIZE = 250
    held = []

    def __init__(self, first):
        self.first = first
        lock = os.open(pathlib.Path(tempfile.gettempdir()) / f"gatehouse-test-ports-{first}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until this process ends
        except OSError:
            os.close(lock)
            raise

    @classmethod
    def claim(cls):
        for first in range(12000, 32000, cls.SIZE):
            with contextlib.suppress(OSError):
                cls.held.append(cls(first))
                return cls.held[-1]
        raise AssertionError("no free ports")

    def free(self, count):
        """`count` consecutive ports that nobody listens at, or None."""
        for first in range(self.first, self.first + self.SIZE - count + 1):
            with contextlib.ExitStack() as bound, contextlib.suppress(OSError):
                for port in range(first, first + count):
                    listener = bound.enter_context(socket.socket())
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    listener.bind(("127.0.0.1", port))
                return list(range(first, first + count))
        return None


def free_ports(count):
    """`count` consecutive ports that are free now, and that no other test is given."""
    for block in PortBlock.held:
        if ports := block.free(count):
            return ports
    while not (ports := PortBlock.claim().free(count)):
        pass
    return ports


def open_websocket(url, **options):
    """A client of python3-websockets that does not end the connection by itself when a busy machine keeps it from reading for long."""
    return websockets.connect(url, **{"ping_interval": None, "open_timeout": 60, **options})


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Program:
    """One program of the build in the foreground, with a run directory of its own."""

    def __init__(self, name, *arguments):
        self.name = name
        self.arguments = [str(argument) for argument in arguments]
        self._directory = tempfile.TemporaryDirectory(prefix="gatehouse-test-")
        self.directory = pathlib.Path(self._directory.name)
        self.log_path = self.directory / "output.log"
        self.process = None

    def command(self, *words):
        return [str(BIN / self.name), *map(str, words), "--run-dir", str(self.directory), *self.arguments]

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command("start"), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: "Press Ctrl-C to stop" in self.log() or self.process.poll() is not None, 60, f"{self.name} is up:\n{self.log()}")
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log()}")
        return self

    def start_again(self):
        """After stop(), with an empty log."""
        self.log_path.unlink()
        self.start()

    def run(self, *words, timeout=60):
        """Another command of the same program, as in run("status", "--json")."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def status(self):
        result = self.run("status", "--json")
        if result.returncode != 0:
            raise AssertionError(f"status: {result.stdout}{result.stderr}")
        return json.loads(result.stdout)

    def processes(self, role):
        return [process for process in self.status()["processes"] if process["role"] == role]

    def wait_until_joined(self, workers):
        """Until that many native workers are at every gateway. Processes that are up find each other only then, in any order."""
        wait_until(lambda: all(p.get("inner_connections") == 2 * workers for p in self.processes("gateway")), 60, f"{workers} workers everywhere")

    def pids(self, role):
        return [process["pid"] for process in self.processes(role)]

    def kill(self, role, which=0):
        """kill -9 of one process of a role; returns when another one runs in its place."""
        old = self.pids(role)[which]
        os.kill(old, signal.SIGKILL)

        def replaced():
            running = [p for p in self.processes(role) if p["state"] == "running"]
            return len(running) > which and all(p["pid"] != old for p in running)

        wait_until(replaced, 30, f"another {role} instead of {old}:\n{self.log()}")
        return old

    def stop(self):
        """Ctrl-C. Fails when the program does not end, ends badly, or a sanitizer had something to say."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(60)
        finally:
            self.kill_all()
        log = self.log()
        self.process = None
        for alarm in ALARMS:
            if alarm in log:
                raise AssertionError(f"{self.name}: {alarm} in its output:\n{log[-20000:]}")
        if status != 0:
            raise AssertionError(f"{self.name} ended with status {status}:\n{log[-20000:]}")

    def remove(self):
        self.kill_all()
        self._directory.cleanup()

    def kill_all(self):
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class ProgramTest(unittest.IsolatedAsyncioTestCase):
    """A test that starts programs; they are stopped, and their output looked through, at its end."""

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # unittest's choice: it makes many messages take several times as long

    def start(self, name, *arguments):
        program = self.program(name, *arguments)
        self.addCleanup(program.stop)
        return program.start()

    def program(self, name, *arguments):
        """One that is not started yet."""
        program = Program(name, *arguments)
        self.addCleanup(program.remove)
        return program

    def start_echo(self, *schemes, gateways=1, workers=1, extra=()):
        """An echo cluster with a gateway for each scheme; returns the program and the client ports."""
        ports = free_ports(1 + len(schemes) * (1 + gateways))
        clients = ports[1:1 + len(schemes)]
        arguments = ["--register", f"127.0.0.1:{ports[0]}", "--start-port", ports[1 + len(schemes)], "--gateways", gateways, "--workers", workers]
        for scheme, port in zip(schemes, clients):
            arguments += ["--listen", f"{scheme}://127.0.0.1:{port}"]
        program = self.start("echo", *arguments, *extra)
        program.wait_until_joined(workers)
        return program, clients


class LineClient:
    """A TCP client that speaks lines, as telnet does."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=20)
        self.buffer = b""

    def send(self, line):
        self.socket.sendall(line.encode() + b"\r\n")

    def receive(self):
        while b"\n" not in self.buffer:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise ConnectionError(f"closed; unread: {self.buffer!r}")
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode()

    def receive_until(self, words):
        """Lines up to the first one with `words` in it, which is returned."""
        seen = []
        while True:
            try:
                seen.append(self.receive())
            except (TimeoutError, ConnectionError) as error:
                raise AssertionError(f"no line with {words!r} came, only {seen}") from error
            if words in seen[-1]:
                return seen[-1]

    def is_closed(self):
        """Reads to the end. What came before it is in `buffer`."""
        try:
            while True:
                chunk = self.socket.recv(65536)
                if not chunk:
                    return True
                self.buffer += chunk
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
