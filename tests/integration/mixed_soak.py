"""The long soak: honest and hostile clients together, kill -9 of every role, slow readers, half-open peers. Prints its figures.
Run by ./test --soak.

    MINUTES=60          how long
    CLIENTS=300         honest clients of the gateway that lives; PER_SECOND=3000 messages of all of them
    HOSTILE=40          hostile ones at a time, at each of the two gateways

It is all right when every answer to an honest client was the right one, none of them was disconnected by another thing than the
death of its gateway, and the memory of every role is what it was after the beginning.

As root it runs in a network namespace of its own, with two more behind links: one that is slow and loses packets (tc netem), one that
goes down, so that the peers behind it are half-open. Otherwise these two are left out, and it says so.
"""
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
import unittest

from program import ProgramTest, free_ports, wait_until
from steady_load import Client, SteadyLoad, frame

MINUTES = float(os.environ.get("MINUTES", 60))
CLIENTS = int(os.environ.get("CLIENTS", 300))
PER_SECOND = int(os.environ.get("PER_SECOND", 3000))
HOSTILE = int(os.environ.get("HOSTILE", 40))
WORKERS = 3
KILL_WORKER_SECONDS = 5
KILL_OTHER_SECONDS = 45  # the register, and the gateway that may die, in turn
CUT_SECONDS = 60
PING_INTERVAL_MS = 5000
IN_NAMESPACE = "GATEHOUSE_SOAK_NAMESPACE"
HERE = os.path.dirname(os.path.abspath(__file__))


def memory_mb(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e6


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Namespace:
    """A network namespace behind a link to this one, held by a process that sleeps."""

    def __init__(self, number):
        self.name = f"soak{number}"
        self.here, self.there = f"10.77.{number}.1", f"10.77.{number}.2"
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"), 5, "a namespace")
        self.ip("link", "add", self.name, "type", "veth", "peer", "name", "far", "netns", str(self.holder.pid))
        self.ip("addr", "add", f"{self.here}/24", "dev", self.name)
        self.up()
        self.inside("ip", "addr", "add", f"{self.there}/24", "dev", "far")
        self.inside("ip", "link", "set", "far", "up")

    @staticmethod
    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    def inside(self, *words):
        subprocess.run(["nsenter", "-t", str(self.holder.pid), "-n", *words], check=True)

    def up(self):
        self.ip("link", "set", self.name, "up")

    def down(self):
        self.ip("link", "set", self.name, "down")

    def make_bad(self):
        subprocess.run(["tc", "qdisc", "add", "dev", self.name, "root", "netem", "delay", "30ms", "15ms", "loss", "2%"], check=True)

    def python(self, *words):
        return subprocess.Popen(["nsenter", "-t", str(self.holder.pid), "-n", sys.executable, *map(str, words)], cwd=HERE,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def remove(self):
        self.holder.kill()
        self.holder.wait()


class Returning(threading.Thread):
    """Honest clients of a gateway that dies now and then: each asks, checks the answer, and comes back when it was cut off."""

    def __init__(self, port, clients):
        super().__init__(daemon=True)
        self.port, self.count = port, clients
        self.answered = self.returned = 0
        self.mistakes = []
        self.ending = False
        self.start()

    def run(self):
        clients = [None] * self.count
        number = 0
        while not self.ending:
            time.sleep(0.05)
            for i, client in enumerate(clients):
                number += 1
                try:
                    if client is None:
                        clients[i] = client = Client("127.0.0.1", self.port)
                        client.socket.settimeout(30)
                        self.returned += 1
                    self.ask(client, b"%d" % number)
                except (ConnectionError, OSError, EOFError) as error:
                    if isinstance(error, TimeoutError):
                        self.mistakes.append(f"no answer within 30 s to {number}")
                    if client is not None:
                        client.socket.close()
                    clients[i] = None
                    time.sleep(0.05)
        for client in clients:
            if client is not None:
                client.socket.close()

    def ask(self, client, text):
        client.socket.sendall(frame(text))
        while True:
            while len(client.input) < 2 or len(client.input) < 2 + client.input[1]:
                received = client.socket.recv(4096)
                if not received:
                    raise EOFError
                client.input += received
            answer, client.input = client.input[2:2 + client.input[1]], client.input[2 + client.input[1]:]
            if answer in (b"first " + text, b"first " + text + b" again"):
                self.answered += 1
                return
            # An answer that comes a second time is marked, and is to something that was asked before.
            if not answer.endswith(b" again"):
                self.mistakes.append(f"{answer!r} to {text!r}")
                return

    def finish(self):
        self.ending = True
        self.join(60)


class MixedSoak(ProgramTest):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
        self.memory = {}  # of processes by name: MB over time
        self.killed = {"worker": 0, "register": 0, "gateway": 0}
        self.cut = 0
        self.spaces = []
        self.network = "a good network"

    def start_all(self):
        ports = free_ports(5)
        self.lives, self.dies = ports[1:3]
        self.program_ = self.start("reloadable", "--register", f"127.0.0.1:{ports[0]}", "--start-port", ports[3], "--workers", WORKERS,
                                   "--ping-interval-ms", PING_INTERVAL_MS, "--deflate",
                                   "--listen", f"websocket://0.0.0.0:{self.lives}", "--listen", f"websocket://0.0.0.0:{self.dies}")

    def start_namespaces(self):
        if os.environ.get(IN_NAMESPACE) is None:
            print("no network namespaces (not root, or no unshare): without half-open peers and a bad network", flush=True)
            return None, None
        bad, cut = Namespace(1), Namespace(2)
        self.spaces = [bad, cut]
        for space in self.spaces:
            self.addCleanup(space.remove)
        try:
            bad.make_bad()
            self.network = "a network that loses 2 %"
        except (OSError, subprocess.CalledProcessError):
            print("no tc netem: the far network is a good one", flush=True)
        return bad, cut

    def hostile(self, port, seed):
        return subprocess.Popen([sys.executable, "hostile.py", "127.0.0.1", str(port), str(HOSTILE), str(seed)], cwd=HERE,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def names(self):
        return {f"{process['role']}:{process['pid']}": process for process in self.program_.status()["processes"] if process["pid"]}

    def measure(self):
        for name, process in self.names().items():
            with contextlib.suppress(OSError):  # it has just been killed
                self.memory.setdefault(name, []).append(memory_mb(process["pid"]))

    def kill(self, role, which=0):
        pids = [pid for pid in self.program_.pids(role) if pid]
        if len(pids) > which:
            os.kill(pids[which], 9)
            self.killed[role] += 1

    def play(self, load, cut_space):
        """Until the time is up: kills, cuts, and measures."""
        begun = time.monotonic()
        next_worker, next_other, next_cut, next_measure = KILL_WORKER_SECONDS, KILL_OTHER_SECONDS, 10, 5
        half_open = None
        while (now := time.monotonic() - begun) < MINUTES * 60 and not load.mistakes and not self.returning.mistakes:
            time.sleep(0.2)
            if now >= next_worker:
                self.kill("worker", self.killed["worker"] % WORKERS)
                next_worker += KILL_WORKER_SECONDS
            if now >= next_other:
                self.kill("register") if self.killed["register"] <= self.killed["gateway"] else self.kill("gateway", 1)
                next_other += KILL_OTHER_SECONDS
            if cut_space is not None and now >= next_cut:
                if half_open is None:
                    half_open = cut_space.python("far_clients.py", "half-open", cut_space.here, self.lives, 30)
                    self.assertEqual(half_open.stdout.readline(), "ready\n")
                    cut_space.down()
                    half_open.kill()
                    half_open.communicate()
                    self.cut += 30
                    next_cut += CUT_SECONDS / 2
                else:
                    half_open = None
                    cut_space.up()
                    next_cut += CUT_SECONDS / 2
            if now >= next_measure:
                self.measure()
                next_measure += 5
        return time.monotonic() - begun

    def assert_flat(self):
        """Of every process that lived long enough: the last quarter against the second."""
        lines = []
        for name, values in sorted(self.memory.items()):
            if len(values) < 16:
                continue
            quarter = len(values) // 4
            early, late = statistics.median(values[quarter:2 * quarter]), statistics.median(values[-quarter:])
            lines.append(f"  {name.split(':', maxsplit=1)[0]}: {early:.1f} MB in its second quarter, {late:.1f} MB in its last, "
                         f"{max(values):.1f} MB at most ({len(values) * 5} s)")
            self.assertLess(late, early * 1.1 + 3, f"{name} grows: {values}")
        print("\n".join(lines), flush=True)

    def test_mixed(self):
        bad, cut = self.start_namespaces()
        self.start_all()
        load = SteadyLoad(self.lives, CLIENTS, PER_SECOND, exactly_once=False)
        self.returning = Returning(self.dies, 10)
        hostile = [self.hostile(self.lives, 1), self.hostile(self.dies, 2)]
        far = None
        if bad is not None:
            far = bad.python("far_clients.py", "steady", bad.here, self.lives, 20, 100)
            self.assertEqual(far.stdout.readline(), "ready\n")
        seconds = self.play(load, cut)
        done = [json.loads(each.communicate(timeout=90)[0]) for each in hostile]
        far_figures = json.loads(far.communicate(timeout=120)[0]) if far is not None else None
        mistakes = load.finish()
        self.returning.finish()
        self.print_figures(seconds, load, done, far_figures)
        self.assertEqual(mistakes, [], self.program_.log()[-5000:])
        self.assertEqual(self.returning.mistakes, [])
        if far_figures is not None:
            self.assertEqual(far_figures["mistakes"], [])
        self.assert_flat()
        self.assert_calm()

    def print_figures(self, seconds, load, done, far):
        print(f"\n{seconds / 60:.1f} minutes of honest and hostile clients, {WORKERS} workers, 2 gateways:")
        print(f"  {load.said} messages of {CLIENTS} honest clients, {load.answered} answered ({load.said / seconds:.0f}/s), "
              f"{len(load.mistakes)} mistakes; slowest answer {load.slowest * 1000:.0f} ms; {load.again} marked as redelivered")
        print(f"  at the gateway that dies: {self.returning.answered} answers, {len(self.returning.mistakes)} mistakes, "
              f"{self.returning.returned} times connected")
        if far is not None:
            print(f"  over {self.network}: {far['said']} messages, {far['answered']} answered, {len(far['mistakes'])} mistakes; "
                  f"slowest answer {far['slowest_ms']} ms")
        total = {}
        for each in done:
            for way, times in each.items():
                total[way] = total.get(way, 0) + times
        print(f"  kill -9: {self.killed}; half-open peers: {self.cut}; hostile: {sum(total.values())} connections: {total}")

    def assert_calm(self):
        """Nobody is left, and nobody keeps a process busy."""
        gateways = lambda: self.program_.processes("gateway")
        wait_until(lambda: all(each["connections"] == 0 for each in gateways()), 60, f"all have gone: {gateways()}")
        before = {each["pid"]: cpu_seconds(each["pid"]) for each in self.names().values()}
        time.sleep(5)
        used = {pid: cpu_seconds(pid) - spent for pid, spent in before.items()}
        self.assertLess(max(used.values()), 0.5, f"CPU seconds in 5 s of rest, by pid: {used}")


def in_namespace():
    """Once more, in a network namespace of its own."""
    if os.environ.get(IN_NAMESPACE) is not None:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    tools = all(shutil.which(tool) for tool in ("unshare", "nsenter", "ip", "tc"))
    if os.geteuid() == 0 and tools and subprocess.run(["unshare", "-n", "true"], check=False).returncode == 0:
        os.environ[IN_NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), *sys.argv[1:]])


if __name__ == "__main__":
    in_namespace()
    unittest.main()
