"""The two servers that are compared, the echo program and the floor, and what the kernel knows of their processes."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SERVER_CORE, LOAD_CORE = "0", "1"
TICK = os.sysconf("SC_CLK_TCK")


def free_ports(count):
    """`count` consecutive ports below those that the kernel gives to clients."""
    for first in range(12000, 32000, count):
        try:
            listeners = []
            for port in range(first, first + count):
                listeners.append(socket.socket())
                listeners[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for listener in listeners:
                listener.close()
    sys.exit("no free ports")


def wait_for_port(port, processes, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if any(process.poll() is not None for process in processes):
            break
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}; what does this say? {' '.join(processes[-1].args)}")


def family(pid):
    """The process and all below it."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue
        children.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry))
    todo, found = [pid], []
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_seconds_of(pid):
    """Of a process of one thread; to the nanosecond where the kernel keeps that (CONFIG_SCHED_INFO), else in ticks."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, IndexError):
        pass
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / TICK


class Server:
    """Something that listens for WebSocket clients at `port`, all of it on one core; `processes` began it."""

    path = "/"

    def __init__(self):
        self.processes = []

    def run(self, *command, prefix=()):
        words = [*prefix, *(("taskset", "-c", SERVER_CORE) if not prefix else ()), *map(str, command)]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        self.processes.append(process)
        return process

    def pids(self):
        return [pid for process in self.processes for pid in family(process.pid)]

    def private_bytes(self):
        """Pss: memory of its own and its share of what it has in common with others."""
        total = 0
        for pid in self.pids():
            try:
                lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total * 1024

    def cpu_seconds(self):
        return sum(map(cpu_seconds_of, self.pids()))

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
        end = time.monotonic() + 20
        for process in self.processes:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()


class Floor(Server):
    def __init__(self, binaries):
        super().__init__()
        self.port = free_ports(2)
        self.run(binaries / "floor", "gw", self.port, self.port + 1, "ws")
        wait_for_port(self.port + 1, self.processes)
        self.run(binaries / "floor", "worker", self.port + 1)
        time.sleep(0.5)


class Echo(Server):
    """The echo program: a gateway behind each of `ports`, at the same place of `inner_ports` its inner port."""

    def __init__(self, binaries, *options, listens=1, workers=1, prefix=(), wait_s=2):
        super().__init__()
        first = free_ports(2 * listens + 1)
        self.ports = list(range(first, first + listens))
        self.inner_ports = list(range(first + listens, first + 2 * listens))
        self.port = first
        self.directory = tempfile.TemporaryDirectory(prefix="gatehouse-bench-")
        listen = [word for port in self.ports for word in ("--listen", f"websocket://127.0.0.1:{port}")]
        self.run(binaries / "echo", "start", *listen, "--register", f"127.0.0.1:{first + 2 * listens}",
                 "--start-port", self.inner_ports[0], "--workers", workers, "--run-dir", self.directory.name, *options, prefix=prefix)
        for port in self.ports:
            wait_for_port(port, self.processes, 60)
        time.sleep(wait_s)  # until workers and gateways have found each other

    def stop(self):
        super().stop()
        self.directory.cleanup()
