"""Instruction counts of fixed works (callgrind): they do not depend on how busy or how fast the machine is."""
import pathlib
import re
import shutil
import sys
import tempfile

from servers import ROOT, Echo

sys.path.insert(0, str(ROOT / "tests" / "integration"))
from raw_websocket import RawWebSocket  # noqa: E402

PAYLOAD = b"x" * 127


def fixed_echo(port, rounds):
    """100 messages of 128 bytes at once, again and again."""
    client, frames = RawWebSocket(port, 120), RawWebSocket.frame(b"E" + PAYLOAD) * 100
    for _ in range(rounds):
        client.send(frames)
        client.receive(100 * RawWebSocket.answer_size(b"E" + PAYLOAD))
    client.close()


def fixed_fan_out(port, rounds):
    """One message of 128 bytes to a group of 200, again and again."""
    members, publisher = [RawWebSocket(port, 120) for _ in range(200)], RawWebSocket(port, 120)
    for member in members:
        member.send(RawWebSocket.frame(b"Jroom"))
        member.receive(RawWebSocket.answer_size(b"j"))
    for _ in range(rounds):
        publisher.send(RawWebSocket.frame(b"Proom\n" + b"x" + PAYLOAD))
        for member in members:
            member.receive(RawWebSocket.answer_size(b"x" + PAYLOAD))
    for connection in [*members, publisher]:
        connection.close()


WORKS = {"echo": (fixed_echo, 100, "message, 100 at once, 128 B"), "fan-out": (fixed_fan_out, 200, "delivery, to a group of 200, 128 B")}


def totals(binaries, work, rounds):
    """Instructions of {gateway, worker} from start to end."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-callgrind-") as folder:
        prefix = ("valgrind", "--tool=callgrind", "--trace-children=yes", "--quiet", f"--callgrind-out-file={folder}/%p",
                  f"--log-file={folder}/log.%p")
        with Echo(binaries, prefix=prefix, wait_s=5) as server:
            work(server.port, rounds)
        counts = []
        for file in pathlib.Path(folder).iterdir():
            found = re.search(r"^(?:summary|totals): (\d+)", file.read_text(errors="replace"), re.MULTILINE)
            if found:
                counts.append(int(found.group(1)))
        return sum(counts)


def measure(binaries, rounds=100):
    """Instructions for each unit, all processes together: what more rounds cost more, so that starting does not count."""
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is missing: scripts/install-packages bench")
    out = {}
    for name, (work, units, text) in WORKS.items():
        few, many = totals(binaries, work, rounds), totals(binaries, work, 3 * rounds)
        out[name] = {"what": text, "instructions": (many - few) / (2 * rounds * units)}
    return out
