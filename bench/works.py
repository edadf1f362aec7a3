"""The works that are measured, and their rounds: the echo program and the floor take turns, so that a drift of the machine hits both."""
import json
import statistics
import subprocess
import sys
import time

from servers import LOAD_CORE

# name: (what it is, units, loadgen's arguments, the ratio to reach)
WORKS = {
    "echo1": ("echo, 100 connections, 1 message in flight, 128 B", "messages", "echo --conns 100 --depth 1 --size 128", 1.2),
    "echo32": ("echo, 100 connections, 32 in flight, 128 B", "messages", "echo --conns 100 --depth 32 --size 128", 1.7),
    "fan1k": ("a group of 1,000, 128 B to each", "deliveries", "fanout --conns 1000 --rate 0 --size 128", 1.05),
    "fan10k": ("a group of 10,000, 128 B to each", "deliveries", "fanout --conns 10000 --rate 0 --size 128 --inflight 200", 1.05),
    "fan1kw8": ("a group of 1,000, 8 publishes under way", "deliveries", "fanout --conns 1000 --rate 0 --window 8 --size 128", 0.4),
    "churn": ("connect, handshake, one echo, close", "cycles", "churn --conns 50 --size 128", 1.15),
}
RATES = ("msgs_per_s", "deliveries_per_s", "cycles_per_s")


def load(binaries, server, arguments):
    """loadgen's figures as a dictionary."""
    command = ["taskset", "-c", LOAD_CORE, binaries / "loadgen", *arguments.split(), "--url", f"ws://127.0.0.1:{server.port}{server.path}",
               "--json", "--pid", ",".join(map(str, server.pids()))]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    try:
        figures = json.loads(result.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        sys.exit(f"loadgen {arguments}: {(result.stdout + result.stderr)[-500:]}")
    if figures.get("errors"):
        sys.exit(f"loadgen {arguments}: {figures['errors']} errors, the first: {figures.get('first_error')}")
    return figures


def rate_of(figures):
    return next(figures[name] for name in RATES if name in figures)


def in_turns(sides, rounds):
    """Each side once a round, and another one first in the next, so that a drift of the machine hits both."""
    for number in range(rounds):
        yield from list(sides) if number % 2 == 0 else list(sides)[::-1]


def compare(binaries, sides, arguments, rounds, seconds):
    """CPU of the server for each unit of work, of both sides, and their ratio round by round."""
    arguments = f"{arguments} --secs {seconds} --warmup {min(1, seconds / 3)}"
    cpu = {name: [] for name in sides}
    rates = {name: [] for name in sides}
    for name in in_turns(sides, rounds):
        figures = load(binaries, sides[name], arguments)
        cpu[name].append(figures["server_cpu_us_per_unit"])
        rates[name].append(rate_of(figures))
    ratios = [here / floor for here, floor in zip(cpu["here"], cpu["floor"])]
    return {
        "floor_us": statistics.median(cpu["floor"]), "here_us": statistics.median(cpu["here"]),
        "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
        "floor_per_s": statistics.median(rates["floor"]), "here_per_s": statistics.median(rates["here"]),
    }


def idle_bytes(binaries, server, connections):
    """What an idle connection adds to the server's own memory."""
    before = server.private_bytes()
    generator = subprocess.Popen(
        ["taskset", "-c", LOAD_CORE, str(binaries / "loadgen"), "idle", "--url", f"ws://127.0.0.1:{server.port}/", "--conns",
         str(connections), "--ramp", "5000", "--hold", "4"], stdout=subprocess.PIPE, text=True)
    used = None
    for line in generator.stdout:
        if line.startswith("READY"):
            time.sleep(2)
            used = (server.private_bytes() - before) / connections
            break
    generator.communicate()
    if used is None or generator.returncode != 0:
        sys.exit(f"loadgen could not hold {connections} connections (see `ulimit -n`)")
    return used


def latency(binaries, sides, rate, rounds, seconds):
    """Latencies of the echo in microseconds at the same given rate of messages, an open loop: medians of the rounds, for
    one moment in which the machine does something else decides the last percent of a round."""
    seen = {name: [] for name in sides}
    for name in in_turns(sides, rounds):
        figures = load(binaries, sides[name], f"echo --conns 100 --depth 64 --size 128 --rate {rate} --secs {seconds} --warmup 1")
        seen[name].append(figures["latency_us"])
    out = {name: {key: statistics.median(each[key] for each in seen[name]) for key in ("p50", "p90", "p99", "p999")} for name in sides}
    ratios = [here["p99"] / floor["p99"] for here, floor in zip(seen["here"], seen["floor"])]
    return {**out, "rounds": rounds, "ratio": out["here"]["p99"] / out["floor"]["p99"], "ratio_min": min(ratios), "ratio_max": max(ratios)}
