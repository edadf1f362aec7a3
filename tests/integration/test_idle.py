"""A cluster at rest rests: eight processes with connected clients use under 1 % of one core."""
import os
import time
import unittest

from program import LineClient, ProgramTest


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class IdleTest(ProgramTest):
    def test_eight_processes(self):
        program, (port,) = self.start_echo("text", gateways=3, workers=3)
        with LineClient(port) as client:
            client.send("Ehello")
            client.receive()
            pids = [p["pid"] for p in program.status()["processes"]] + [program.process.pid]
            self.assertEqual(len(pids), 8)
            time.sleep(1)  # what starting has left to do
            before = {pid: cpu_seconds(pid) for pid in pids}
            time.sleep(10)
            used = {pid: cpu_seconds(pid) - before[pid] for pid in pids}
        self.assertLess(sum(used.values()), 0.1, used)


if __name__ == "__main__":
    unittest.main()
