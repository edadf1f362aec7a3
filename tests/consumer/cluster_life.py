"""What a program of a user goes through, with one that was built from life.cc: a group send, a push, a death, a reload, a stop."""
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))
from program import PortBlock, wait_until  # noqa: E402
from raw_websocket import RawWebSocket  # noqa: E402

class Client(RawWebSocket):
    def say(self, text):
        self.send(self.frame(text.encode()))

    def hear(self):
        """One text message of less than 126 bytes."""
        head = self.exactly(2)
        assert head[0] == 0x81 and head[1] < 126, head
        return self.exactly(head[1]).decode()

    def exactly(self, size):
        got = b""
        while len(got) < size:
            more = self.socket.recv(size - len(got))
            if not more:
                raise ConnectionError(f"closed after {got!r}")
            got += more
        return got

    def ask(self, text):
        self.say(text)
        return self.hear()


def expect(got, wanted):
    if not re.fullmatch(wanted, got):
        raise AssertionError(f"{got!r} instead of {wanted!r}")


def live(program, pusher):
    """The clients stay through all of it, and what they say is answered."""
    first_port = PortBlock.claim().free(3)[0]
    with tempfile.TemporaryDirectory(prefix="gatehouse-life-") as folder:
        options = ["--port", str(first_port), "--run-dir", folder]

        def command(*words):
            done = subprocess.run([program, *words, *options], capture_output=True, text=True, timeout=120)
            if done.returncode != 0:
                raise AssertionError(f"{program} {words}: {done.returncode}\n{done.stdout}{done.stderr}")
            return done.stdout

        def log():
            return (Path(folder) / "life.log").read_text(errors="replace")

        command("start", "-d", "-q")
        try:
            live_with(first_port, pusher, Path(folder) / "died", command)
        except Exception as error:
            raise AssertionError(f"{program}: {error!r}\n{log()}") from error
        finally:
            command("stop", "-q")
        for word in ("double free", "corrupt", "SIGABRT", "SIGSEGV", "SIGBUS"):
            if word in log():
                raise AssertionError(f"{program}: {word}\n{log()}")


def live_with(port, pusher, died, command):
    with Client(port, 60) as ann, Client(port, 60) as bob:
        expect(ann.ask("join"), "there are 1")
        expect(bob.ask("join"), "there are 2")
        expect(ann.ask("tick"), "tock")
        ann.say("hello")
        expect(bob.hear(), "hello")

        pushed = subprocess.run([pusher, f"127.0.0.1:{port + 1}", "30000"], capture_output=True, text=True, timeout=120)
        expect(pushed.stdout, "2 online\n")
        for client in (ann, bob):
            expect(client.hear(), "your order is ready")

        # The message that killed its worker waits for the next one, and so does everything behind it.
        before = ann.ask("who")
        ann.say(f"die {died}")
        bob.say("still there")
        heard = [ann.hear(), ann.hear()]
        heard.sort(reverse=True)
        expect(heard[0], "still there")
        expect(heard[1], "alive [0-9]+")
        after = ann.ask("who")
        assert before != after == heard[1].split()[1], (before, after)

        command("reload")
        wait_until(lambda: ann.ask("who") != after, 60, "another worker")
        workers = [each["pid"] for each in json.loads(command("status", "--json"))["processes"] if each["role"] == "worker"]
        assert int(ann.ask("who")) in workers, workers
        bob.say("after the reload")
        expect(ann.hear(), "after the reload")
