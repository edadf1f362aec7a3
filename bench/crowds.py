"""Clients for bench/scale: many idle ones, held by load generators, and one that sends messages of any length."""
import json
import os
import pathlib
import struct
import subprocess
import sys
import time

from servers import LOAD_CORE, ROOT

sys.path.insert(0, str(ROOT / "tests" / "integration"))
from raw_websocket import RawWebSocket  # noqa: E402

MOST_CLIENTS = 18_000  # of one gateway and of one load generator: each needs a descriptor, and the usual limit is 20,000


def kernel_bytes():
    """What the kernel holds in objects of its own, sockets among them, for the whole machine: both ends of a connection."""
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Slab:")) * 1024


def shares(total):
    """How many clients each of as few gateways as possible gets."""
    gateways = -(-total // MOST_CLIENTS)
    return [total // gateways + (number < total % gateways) for number in range(gateways)]


class Crowd:
    """Idle clients, counts[i] of them at server.ports[i]; each says `hello` when it is connected."""

    def __init__(self, binaries, server, counts, hello=None):
        self.total = sum(counts)
        self.generators = []
        try:
            for port, count in zip(server.ports, counts):
                self.generators.append(subprocess.Popen(
                    ["taskset", "-c", LOAD_CORE, str(binaries / "loadgen"), "idle", "--url", f"ws://127.0.0.1:{port}/", "--conns", str(count),
                     "--hold", "900", "--inflight", "64", "--timeout", "60", "--srcs", "8", "--json", *(("--hello", hello) if hello else ())],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True))
            for generator, count in zip(self.generators, counts):
                line = generator.stdout.readline()
                if not line.startswith(f"READY {count} of {count} "):
                    sys.exit(f"loadgen idle did not get {count} connections (see `ulimit -n`): {line + (generator.communicate()[0])[-500:]}")
        except BaseException:
            self.close()
            raise

    def close(self):
        """How many messages all of them have got."""
        received = 0
        for generator in self.generators:
            if generator.poll() is None:
                generator.terminate()
        for generator in self.generators:
            text = generator.communicate()[0].strip()
            if text.startswith("{") or "\n{" in text:
                received += json.loads(text.splitlines()[-1])["unsolicited"]
        self.generators = []
        return received

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


class Speaker(RawWebSocket):
    """One WebSocket client that sends the same message again and again, and reads what comes back."""

    @staticmethod
    def _length(size):
        return bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 65536 else b"\x7f" + struct.pack(">Q", size)

    def echo(self, size, times):
        """`times` echoes of a message of `size` bytes, one after the other; each is compared."""
        message, mask = b"E" + b"x" * (size - 1), os.urandom(4)
        length = self._length(size)
        masked = (int.from_bytes(message, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")).to_bytes(size, "big")
        sent = b"\x81" + bytes([length[0] | 0x80]) + length[1:] + mask + masked
        wanted = b"\x81" + length + message
        buffer = bytearray(len(wanted))
        for _ in range(times):
            self.socket.sendall(sent)
            place = 0
            while place < len(wanted):
                got = self.socket.recv_into(memoryview(buffer)[place:])
                if got == 0:
                    raise ConnectionError(f"closed during an echo of {size} bytes")
                place += got
            if buffer != wanted:
                raise ValueError(f"an echo of {size} bytes came back as another one")


def settle(server, seconds=10):
    """Waits until the servers have nothing more to do."""
    end, before = time.monotonic() + seconds, server.cpu_seconds()
    while time.monotonic() < end:
        time.sleep(0.25)
        now = server.cpu_seconds()
        if now - before < 0.005 + 0.0005 * len(server.ports):
            return
        before = now
