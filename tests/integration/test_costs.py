"""What a message costs in allocations and calls of the kernel: counted, not timed, so that a regression fails anywhere.

The counts are those of tests/call_counter, which is preloaded into every process of the cluster.
"""
import contextlib
import os
import pathlib
import struct
import tempfile
import unittest
from unittest import mock

from program import BIN, ProgramTest
from raw_websocket import RawWebSocket

COUNTER = BIN / "libcall_counter.so"
CALLS = ("epoll_wait", "epoll_ctl", "recv", "read", "send", "write", "accept", "close", "setsockopt", "getsockopt", "shutdown", "syscall")


class Counts:
    """The counters of one process."""

    def __init__(self, folder, pid):
        self.stat = pathlib.Path(f"/proc/{pid}/stat")
        self.file = pathlib.Path(folder) / str(pid)
        self.names = self.file.read_bytes()[1024:].split(b"\0", 1)[0].decode().split()

    def mark(self):
        """What is accepted from now on is counted under "new." besides."""
        with open(self.file, "r+b") as file:
            file.seek(512)
            file.write(struct.pack("<Q", 1))

    def read(self):
        return dict(zip(self.names, struct.unpack("<64Q", self.file.read_bytes()[:512])))

    def page_faults(self):
        """Without those that read a file: proc(5), "minflt"."""
        return int(self.stat.read_text().rsplit(")", 1)[1].split()[7])


@unittest.skipUnless(COUNTER.exists(), f"{COUNTER} is not built: sanitizers have an allocator of their own")
class CostsTest(ProgramTest):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="gatehouse-counts-"))
        with mock.patch.dict(os.environ, {"LD_PRELOAD": str(COUNTER), "GATEHOUSE_CALL_COUNTS": folder}):
            program, (self.port,) = self.start_echo("websocket", extra=("--max-message", 1 << 20))
        (gateway,), (worker,) = program.pids("gateway"), program.pids("worker")
        self.counts = {"gateway": Counts(folder, gateway), "worker": Counts(folder, worker)}

    @contextlib.contextmanager
    def counting(self, messages, used):
        """Fills `used` with {role: {call: number for each message}}."""
        before = {role: counts.read() for role, counts in self.counts.items()}
        yield
        for role, counts in self.counts.items():
            used[role] = {name: (value - before[role][name]) / messages for name, value in counts.read().items()}
            used[role]["calls"] = sum(used[role][name] for name in CALLS)
        print({role: {name: round(value, 4) for name, value in each.items() if value} for role, each in used.items()})

    def client(self):
        client = RawWebSocket(self.port)
        self.addCleanup(client.close)
        return client

    def echo(self, client, payload, at_once, rounds):
        frames = RawWebSocket.frame(payload) * at_once
        for _ in range(rounds):
            client.send(frames)
            client.receive(RawWebSocket.answer_size(payload) * at_once)

    def test_a_message_at_a_time(self):
        client, payload, used = self.client(), b"E" + b"x" * 127, {}
        self.echo(client, payload, 1, 200)
        with self.counting(2000, used):
            self.echo(client, payload, 1, 2000)
        # Wake up, read, write: for the client's message and for the worker's answer, which is read until there is no more.
        self.assertLessEqual(used["gateway"]["calls"], 7)
        self.assertLessEqual(used["worker"]["calls"], 4)
        self.assertLess(used["gateway"]["allocate"], 0.01)
        self.assertLess(used["worker"]["allocate"], 0.01)

    def test_many_messages_at_once(self):
        client, payload, used = self.client(), b"E" + b"x" * 127, {}
        self.echo(client, payload, 100, 50)
        with self.counting(20_000, used):
            self.echo(client, payload, 100, 200)
        self.assertLessEqual(used["gateway"]["calls"], 0.15)
        self.assertLessEqual(used["worker"]["calls"], 0.10)
        self.assertLess(used["gateway"]["allocate"], 0.01)
        self.assertLess(used["worker"]["allocate"], 0.01)

    def test_a_client_that_comes_says_something_and_goes(self):
        payload, used = b"E" + b"x" * 127, {}

        def come_and_go(times):
            for _ in range(times):
                client = RawWebSocket(self.port)
                client.send(RawWebSocket.frame(payload))
                client.receive(RawWebSocket.answer_size(payload))
                client.send(RawWebSocket.frame(b"\x03\xe8", opcode=8))
                client.receive(4)
                client.close()

        come_and_go(100)
        self.counts["gateway"].mark()
        with self.counting(500, used):
            come_and_go(500)
        gateway, worker = used["gateway"], used["worker"]
        # What a cycle must do: accept (and once more, in vain), into epoll, read and write at the handshake, the message and the
        # close frame, close.
        self.assertEqual(round(gateway["accept"], 1), 2)
        # One of the 500 may still be on its way out.
        new = {name.removeprefix("new."): round(value, 2) for name, value in gateway.items() if name.startswith("new.") and value}
        self.assertEqual(new, {"accept": 1, "epoll_ctl": 1, "recv": 3, "send": 3, "close": 1})
        # Nothing else but what is said between gateway and worker: four events there, four times something back.
        for name in ("read", "write", "setsockopt", "getsockopt", "shutdown", "syscall"):
            self.assertLess(gateway[name] + worker[name], 0.05, name)
        self.assertLessEqual(round(gateway["send"] - new["send"], 1), 4)
        self.assertLessEqual(round(worker["send"], 1), 4)
        # How much of it is there at a wake-up is for the scheduler to say. But everything wakes its reader once at the most: in the
        # gateway the connection, the request, the message, the close frame, the end that is left to do then, and the worker. There
        # are timers besides, on a slow machine more of them.
        spare = 1
        self.assertLessEqual(gateway["recv"] - new["recv"], worker["send"] + spare)
        self.assertLessEqual(gateway["epoll_wait"], 5 + worker["send"] + spare)
        self.assertLessEqual(worker["recv"], 4 + spare)
        self.assertLessEqual(worker["epoll_wait"], 4 + spare)

    def test_big_messages_do_not_fault_their_memory_in_again(self):
        client, payload = self.client(), b"E" + b"x" * 999_999
        self.echo(client, payload, 1, 20)
        before = {role: counts.page_faults() for role, counts in self.counts.items()}
        self.echo(client, payload, 1, 20)
        for role, counts in self.counts.items():
            faults = (counts.page_faults() - before[role]) / 20
            print(f"{role}: {faults} page faults for a message of a megabyte, which has 245 pages")
            self.assertLess(faults, 100, role)

    def test_to_a_group(self):
        members, payload, used = [self.client() for _ in range(100)], b"x" * 128, {}
        publisher = self.client()
        for member in members:
            member.send(RawWebSocket.frame(b"Jroom"))
            member.receive(RawWebSocket.answer_size(b"j"))

        def publish(times):
            frame = RawWebSocket.frame(b"Proom\n" + payload)
            for _ in range(times):
                publisher.send(frame)
                for member in members:
                    member.receive(RawWebSocket.answer_size(payload))

        publish(20)
        with self.counting(100 * len(members), used):
            publish(100)
        # One write to each member, and what one message costs besides.
        self.assertLessEqual(used["gateway"]["calls"], 1.1)
        self.assertLessEqual(used["worker"]["calls"], 0.06)
        # The frame that all share.
        self.assertLess(used["gateway"]["allocate"], 0.06)
        self.assertLess(used["worker"]["allocate"], 0.1)


if __name__ == "__main__":
    unittest.main()
