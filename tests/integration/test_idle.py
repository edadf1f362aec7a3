"""A cluster at rest rests: how often its processes wake up, counted, so that it is the same on a busy machine.

The switches are those of proc(5): a thread that waits and is woken has given up its processor by itself, which
`voluntary_ctxt_switches` counts.
"""
import os
import pathlib
import time
import unittest

from program import LineClient, ProgramTest

SECONDS = 10
# The timers of each process fire twice a second.
MOST_WAKE_UPS_A_SECOND = 6


def wake_ups(pid):
    """Of all threads of a process."""
    lines = [line for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status") for line in status.read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class IdleTest(ProgramTest):
    def test_eight_processes(self):
        program, (port,) = self.start_echo("text", gateways=3, workers=3)
        with LineClient(port) as client:
            client.send("Ehello")
            client.receive()
            pids = {process["pid"]: process["role"] for process in program.status()["processes"]} | {program.process.pid: "master"}
            self.assertEqual(len(pids), 8)
            begun = time.monotonic()
            before = {pid: (wake_ups(pid), cpu_seconds(pid)) for pid in pids}
            time.sleep(SECONDS)
            used = {pid: (wake_ups(pid) - before[pid][0], cpu_seconds(pid) - before[pid][1]) for pid in pids}
            passed = time.monotonic() - begun  # on a busy machine it was longer
        each = {f"{role} {pid}": (round(used[pid][0] / passed, 2), round(used[pid][1] / passed, 3)) for pid, role in pids.items()}
        print(each)
        for process, (woken, cpu) in each.items():
            self.assertLess(woken, MOST_WAKE_UPS_A_SECOND, process)
            # One that never waits is never woken either; it takes all of a processor, or the half that a busy machine leaves it.
            self.assertLess(cpu, 0.1, process)


if __name__ == "__main__":
    unittest.main()
