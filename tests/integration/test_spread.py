"""How clients are spread over the processes of a port, and over workers when one has died."""
import os
import resource
import signal
import socket
import time
import unittest

from program import BIN, LineClient, ProgramTest, wait_until

SANITIZED = b"__asan_init" in (BIN / "echo").read_bytes()


class SpreadTest(ProgramTest):
    def setUp(self):
        self.sockets = []
        self.addCleanup(lambda: [each.close() for each in self.sockets])

    def connect(self, port, count, gap=0.0):
        for _ in range(count):
            self.sockets.append(socket.create_connection(("127.0.0.1", port), 30))
            if gap:
                time.sleep(gap)

    def counts(self, program):
        return [process["connections"] or 0 for process in program.processes("gateway")]

    def wait_for_all(self, program, count):
        wait_until(lambda: sum(self.counts(program)) == count, 30, f"{count} clients: {self.counts(program)}")

    def assert_even(self, program, count):
        self.wait_for_all(program, count)
        counts = self.counts(program)
        mean = count / len(counts)
        for each in counts:
            self.assertAlmostEqual(each, mean, delta=max(mean / 10, 2), msg=counts)

    def test_slow_fast_and_bursty_arrivals(self):
        """EPOLLEXCLUSIVE wakes the same process each time: 398 to 2, and 500, 0, 0, 0."""
        program, (port,) = self.start_echo("text", gateways=4, workers=1)
        self.connect(port, 200, 0.005)
        self.assert_even(program, 200)
        self.connect(port, 300, 0.001)
        self.assert_even(program, 500)
        self.connect(port, 500)
        self.assert_even(program, 1000)

    def test_a_process_that_is_replaced(self):
        program, (port,) = self.start_echo("text", gateways=2, workers=1)
        self.connect(port, 300, 0.002)
        self.assert_even(program, 300)
        program.kill("gateway")
        left = sum(self.counts(program))
        self.connect(port, left, 0.002)
        self.assert_even(program, 2 * left)

    def test_a_stopped_process_keeps_nobody_waiting(self):
        program, (port,) = self.start_echo("text", gateways=2, workers=1)
        self.connect(port, 40, 0.002)
        self.assert_even(program, 40)
        stopped = program.pids("gateway")[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            for _ in range(20):
                with LineClient(port) as client:  # the kernel may have woken the one that is stopped
                    client.send("Ehello")
                    self.assertEqual(client.receive(), "Ehello")
        finally:
            os.kill(stopped, signal.SIGCONT)

    def test_a_full_process_leaves_clients_to_the_others(self):
        program, (port,) = self.start_echo("text", gateways=3, workers=1, extra=("--max-connections", 20))
        self.connect(port, 60)
        self.wait_for_all(program, 60)
        self.assertEqual(self.counts(program), [20, 20, 20])
        self.assertEqual([process.get("limits", {}) for process in program.processes("gateway")], [{}, {}, {}])

    @unittest.skipIf(SANITIZED, "the sanitizer opens pipes to look at memory, and takes objects for none without descriptors")
    def test_a_process_short_of_descriptors_leaves_clients_to_the_others(self):
        program, (port,) = self.start_echo("text", gateways=2, workers=1)
        short = program.pids("gateway")[0]
        in_use = len(os.listdir(f"/proc/{short}/fd"))
        resource.prlimit(short, resource.RLIMIT_NOFILE, (in_use + 10, in_use + 10))
        self.connect(port, 100, 0.002)
        self.wait_for_all(program, 100)
        self.assertEqual([process.get("limits", {}) for process in program.processes("gateway")], [{}, {}])


if __name__ == "__main__":
    unittest.main()
