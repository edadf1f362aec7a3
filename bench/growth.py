"""What bench/scale measures: along each dimension the memory and the CPU of the servers, at sizes from the least to the most."""
import contextlib
import json
import statistics
import subprocess
import time

import works
from crowds import Crowd, Speaker, kernel_bytes, settle, shares
from inner_port import (BIND_UID, COUNT, IDS_OF_UID, JOIN_GROUP, LEAVE_GROUP, SEND_TO_GROUP, SET_SESSION, InnerPort, frame,
                        group_target)
from servers import Echo

ROUNDS = 5
BEAT_S = 20


@contextlib.contextmanager
def spent(server, used, name, units):
    """Notes in used[name] the microseconds of CPU that all processes of the server take for each of so many units."""
    settle(server)
    before = server.cpu_seconds()
    yield
    settle(server)
    used[name] = (server.cpu_seconds() - before) / units * 1e6


def median_of(server, units, work):
    """The same, the median of some rounds."""
    figures = {}
    for number in range(ROUNDS):
        with spent(server, figures, number, units):
            work()
    return statistics.median(figures.values())


def connections(binaries, total):
    out, counts = {}, shares(total)
    with Echo(binaries, "--ping-interval", BEAT_S, listens=len(counts)) as server:
        empty, empty_kernel = server.private_bytes(), kernel_bytes()
        begun = server.cpu_seconds()
        with Crowd(binaries, server, counts) as crowd, contextlib.ExitStack() as stack:
            out["connect_us"] = (server.cpu_seconds() - begun) / total * 1e6
            time.sleep(2)
            out["bytes"] = (server.private_bytes() - empty) / total
            out["kernel_bytes"] = (kernel_bytes() - empty_kernel) / total
            time.sleep(BEAT_S)  # from now on every client is due once in an interval
            before, begun = server.cpu_seconds(), time.monotonic()
            time.sleep(BEAT_S)
            rest = (server.cpu_seconds() - before) / (time.monotonic() - begun)
            out["beat_us"] = rest / total * BEAT_S * 1e6
            churn = works.load(binaries, server, "churn --conns 20 --size 128 --secs 4 --warmup 0.5")
            out["churn_us"] = churn["server_cpu_us_per_unit"] - rest / churn["cycles_per_s"] * 1e6
            names(server, [stack.enter_context(InnerPort(port)) for port in server.inner_ports], total, rest, out)
            before = server.cpu_seconds()
            crowd.close()
            end = time.monotonic() + 60
            while time.monotonic() < end and sum(ask(port, InnerPort.count) for port in server.inner_ports) > 0:
                time.sleep(0.1)
            out["close_us"] = (server.cpu_seconds() - before) / total * 1e6
        settle(server)
        out["left_bytes"] = (server.private_bytes() - empty) / total
    return out


def ask(port, question):
    with InnerPort(port) as inner:
        return question(inner)


def names(server, inners, total, rest, out):
    """A uid for each client; then one client among them takes others, and is looked for. `rest` is what heartbeats take in a second."""

    def cost(units, work):
        before, begun = server.cpu_seconds(), time.monotonic()
        work()
        return (server.cpu_seconds() - before - rest * (time.monotonic() - begun)) / units * 1e6

    def median_cost(units, work):
        return statistics.median(cost(units, work) for _ in range(ROUNDS))

    ids = [inner.ids() for inner in inners]
    before = server.private_bytes()
    out["bind_us"] = cost(total, lambda: [
        inner.do(b"".join(frame(BIND_UID, each, b"user-%d-%d" % (number, each)) for each in ids[number]))
        for number, inner in enumerate(inners)])
    out["uid_bytes"] = (server.private_bytes() - before) / total
    one, times = ids[0][len(ids[0]) // 2], 20_000
    others = b"".join(frame(BIND_UID, one, b"other-%d" % (i % 2)) for i in range(times))
    out["rebind_us"] = median_cost(times, lambda: inners[0].do(others))
    uid, questions = b"user-0-%d" % ids[0][0], 2000
    out["ask_us"] = median_cost(2 * questions, lambda: [
        (inners[0].ask(IDS_OF_UID, ext=uid), inners[0].ask(COUNT)) for _ in range(questions)])


def group(binaries, members):
    """A message to a group of so many, one after the other; leaving and joining it; asking how many are in it."""
    out, counts = {}, shares(members)
    with Echo(binaries, listens=len(counts)) as server, contextlib.ExitStack() as stack:
        inners = [stack.enter_context(InnerPort(port)) for port in server.inner_ports]
        empty = server.private_bytes()
        with Crowd(binaries, server, counts, "Jroom") as crowd:
            time.sleep(1)
            out["bytes"] = (server.private_bytes() - empty) / members
            message, times = frame(SEND_TO_GROUP, ext=group_target("room"), body=b"x" * 128), max(2, min(2000, 100_000 // members))

            def publish():
                for _ in range(times):
                    for inner in inners:
                        inner.do(message)

            out["delivery_us"] = median_of(server, times * members, publish)
            one, turns = inners[0].ids()[0], 20_000
            moves = (frame(LEAVE_GROUP, one, b"room") + frame(JOIN_GROUP, one, b"room")) * turns
            out["move_us"] = median_of(server, turns, lambda: inners[0].do(moves))
            questions = 2000
            out["count_us"] = median_of(server, questions, lambda: [inners[0].ask(COUNT, ext=b"room") for _ in range(questions)])
            wanted = members + ROUNDS * times * members  # and the answer to each one's joining
            if (got := crowd.close()) != wanted:
                raise RuntimeError(f"a group of {members}: its members got {got} messages, not {wanted}")
    return out


def groups_of_client(binaries, groups):
    """1,000 clients, each in the same so many groups."""
    out, clients = {}, 1000
    with Echo(binaries) as server, InnerPort(server.inner_ports[0]) as inner, Crowd(binaries, server, [clients]) as crowd:
        ids = inner.ids()
        settle(server)
        before_bytes, before = server.private_bytes(), server.cpu_seconds()
        for number in range(groups):
            inner.do(b"".join(frame(JOIN_GROUP, each, b"room-%d" % number) for each in ids))
        out["join_us"] = (server.cpu_seconds() - before) / clients / groups * 1e6
        out["bytes"] = (server.private_bytes() - before_bytes) / clients / groups
        turns = 20_000
        moves = (frame(LEAVE_GROUP, ids[0], b"room-0") + frame(JOIN_GROUP, ids[0], b"room-0")) * turns
        out["move_us"] = median_of(server, turns, lambda: inner.do(moves))
        with spent(server, out, "close_us", clients):
            crowd.close()
    return out


def session(binaries, size):
    """Clients that each have a session of so many bytes (a string of PHP's), which goes with every event to the worker."""
    out, clients = {}, 500
    text = b"x" * max(0, size - len('a:1:{s:1:"k";s:65536:"";}'))
    value = b'a:1:{s:1:"k";s:%d:"%s";}' % (len(text), text) if size > 0 else b""
    with Echo(binaries) as server, InnerPort(server.inner_ports[0]) as inner:
        with Crowd(binaries, server, [clients]):
            before = server.private_bytes()
            for each in inner.ids():
                inner.do(frame(SET_SESSION, each, value))
            out["bytes"] = (server.private_bytes() - before) / clients
        with Speaker(server.port) as speaker:
            while inner.count() != 1:
                time.sleep(0.1)
            inner.do(frame(SET_SESSION, inner.ids()[0], value))
            speaker.echo(128, 200)
            times = 2000
            out["echo_us"] = median_of(server, times, lambda: speaker.echo(128, times))
    return out


def message(binaries, size):
    """One client's echoes, one after the other; and what the servers still hold of them afterwards."""
    out, times = {}, max(100, min(4000, 64_000_000 // size))
    with Echo(binaries, "--max-message", 1 << 20) as server, Speaker(server.port) as speaker:
        speaker.echo(16, 100)
        settle(server)
        before = server.private_bytes()
        out["echo_us"] = median_of(server, times, lambda: speaker.echo(size, times))
        time.sleep(5)  # blocks of memory are given back little by little
        out["bytes"] = server.private_bytes() - before
    return out


def gateways(binaries, count):
    """So many gateways behind one worker, with one client each at most: what they cost at rest, a message to all, a question to all."""
    out = {}
    with Echo(binaries, listens=count, wait_s=2 + count / 8) as server, contextlib.ExitStack() as stack:
        inners = [stack.enter_context(InnerPort(port)) for port in server.inner_ports]
        settle(server)
        out["bytes"] = server.private_bytes()
        before, begun = server.cpu_seconds(), time.monotonic()
        time.sleep(10)
        out["rest_us_per_s"] = (server.cpu_seconds() - before) / (time.monotonic() - begun) * 1e6
        stack.enter_context(Crowd(binaries, server, [1] * count))
        publishing = works.load(binaries, server, "all --conns 1 --rate 0 --size 128 --secs 3 --warmup 0.5")
        out["publish_us"] = publishing["server_cpu_us_per_unit"]
        with Speaker(server.port) as speaker:
            speaker.echo(128, 200)
            out["echo_us"] = median_of(server, 2000, lambda: speaker.echo(128, 2000))
        times = max(50, 4000 // count)
        out["question_us"] = median_of(server, times, lambda: [inner.ask(COUNT) for _ in range(times) for inner in inners])
    return out


def tables(binaries):
    """{benchmark: nanoseconds} of what needs no socket, and so can be made as large as memory allows."""
    result = subprocess.run([binaries / "bench_tables", "--benchmark_filter=^uid_|^client_found|^client_comes", "--benchmark_format=json",
                             "--benchmark_repetitions=5", "--benchmark_min_time=0.1", "--benchmark_report_aggregates_only=true"],
                            capture_output=True, text=True, check=True)
    return {each["run_name"]: {"ns": each["cpu_time"], "bytes": each.get("bytes")}
            for each in json.loads(result.stdout)["benchmarks"] if each["aggregate_name"] == "median"}


# name: (function, sizes from the least to the most)
DIMENSIONS = {
    "connections": (connections, (1000, 10_000, 50_000, 100_000, 200_000)),
    "group": (group, (1, 10, 100, 1000, 10_000, 100_000)),
    "groups_of_client": (groups_of_client, (1, 10, 100, 1000)),
    "session": (session, (0, 64, 1024, 16_384, 65_536)),
    "message": (message, (1, 16, 128, 1024, 16_384, 131_072, 1_000_000)),
    "gateways": (gateways, (1, 4, 16, 64)),
}
