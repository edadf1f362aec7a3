"""The load cases at full length: 1,000 clients, 20,000 messages a second, ten reloads; then kill -9 of a worker every second for a
minute. Prints its figures. Run by ./test --soak.

CLIENTS, PER_SECOND, RELOADS and KILL_SECONDS change the numbers.
"""
import os
import resource
import time
import unittest

from steady_load import SteadyLoad
from test_reload import ReloadableTest

CLIENTS = int(os.environ.get("CLIENTS", 1000))
PER_SECOND = int(os.environ.get("PER_SECOND", 20_000))
RELOADS = int(os.environ.get("RELOADS", 10))
KILL_SECONDS = int(os.environ.get("KILL_SECONDS", 60))
WORKERS = 4


def memory_mb(pids):
    pages = 0
    for pid in pids:
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
            pages += int(statm.read().split()[1])
    return pages * resource.getpagesize() / 1e6


class Soak(ReloadableTest):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < CLIENTS + 100:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, CLIENTS + 1000), hard))

    def print_load(self, load):
        print(f"  {load.said} messages in {load.seconds:.0f} s ({load.said / load.seconds:.0f}/s), {load.answered} answered, "
              f"{len(load.mistakes)} mistakes; slowest answer {load.slowest * 1000:.0f} ms", flush=True)

    def test_1_reloads(self):
        program, (port,) = self.start_reloadable("websocket", workers=WORKERS)
        load = SteadyLoad(port, CLIENTS, PER_SECOND, exactly_once=True)
        time.sleep(2)
        words, took = ["first"], []
        for number in range(RELOADS):
            self.put(f"v{number}")
            words.append(f"v{number}")
            begun = time.monotonic()
            self.reload(program)
            took.append(time.monotonic() - begun)
            time.sleep(1)
        memory = memory_mb(program.pids("gateway"))
        mistakes = load.finish()
        print(f"\n{RELOADS} reloads of {WORKERS} workers under {CLIENTS} clients:")
        self.print_load(load)
        print(f"  a reload took {sum(took) / len(took):.2f} s on average, {max(took):.2f} s at most; gateway {memory:.1f} MB; "
              f"{load.again} answers marked as redelivered", flush=True)
        self.assertEqual(mistakes, [], program.log()[-5000:])
        self.assertEqual(load.again, 0)
        for seen in load.words():
            self.assertEqual(list(seen), [word for word in words if word in seen])
            self.assertEqual((seen[0], seen[-1]), (words[0], words[-1]))

    def test_2_kills(self):
        program, (port,) = self.start_reloadable("websocket", workers=WORKERS)
        load = SteadyLoad(port, CLIENTS, PER_SECOND, exactly_once=False)
        killed = 0
        begun = time.monotonic()
        while time.monotonic() - begun < KILL_SECONDS and not load.mistakes:
            pids = [pid for pid in program.pids("worker") if pid]
            os.kill(pids[killed % len(pids)], 9)
            killed += 1
            time.sleep(max(0.0, begun + killed - time.monotonic()))
        memory = memory_mb(program.pids("gateway"))
        mistakes = load.finish()
        print(f"\nkill -9 of one of {WORKERS} workers every second, {killed} times, under {CLIENTS} clients:")
        self.print_load(load)
        print(f"  {load.again} answers to redelivered messages, {load.repeated} of them to messages that had been answered before; "
              f"gateway {memory:.1f} MB", flush=True)
        self.assertEqual(mistakes, [], program.log()[-5000:])


if __name__ == "__main__":
    unittest.main()
