"""start, start -d, stop, status, and what they say when something is wrong."""
import os
import re
import signal
import socket
import subprocess
import unittest

from program import BIN, LineClient, ProgramTest, free_ports, wait_until


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class CommandsTest(ProgramTest):
    def echo(self):
        ports = free_ports(3)
        return self.program("echo", "--listen", f"text://127.0.0.1:{ports[0]}", "--register", f"127.0.0.1:{ports[1]}", "--start-port", ports[2]), ports

    def test_daemon(self):
        program, ports = self.echo()
        started = program.run("start", "-d")
        self.addCleanup(program.run, "stop")
        self.assertEqual(started.returncode, 0, started.stdout + started.stderr)
        self.assertRegex(started.stdout, r"pid \d+")
        with LineClient(ports[0]) as client:  # ready when the command is back
            client.send("Ehello")
            self.assertEqual(client.receive(), "Ehello")
        status = program.status()
        self.assertEqual([p["role"] for p in status["processes"]].count("worker"), 1)
        pids = [p["pid"] for p in status["processes"]]

        again = program.run("start", "-d")
        self.assertEqual(again.returncode, 1)
        self.assertRegex(again.stderr, r"already running.*pid \d+")

        stopped = program.run("stop")
        self.assertEqual(stopped.returncode, 0, stopped.stdout + stopped.stderr)
        self.assertIn("stopped", stopped.stdout)
        self.assertFalse([pid for pid in pids if running(pid)])
        self.assertEqual(program.run("stop").returncode, 1)
        self.assertEqual(program.run("status").returncode, 1)

    def test_a_stale_pid_file_does_not_block(self):
        program, _ = self.echo()
        self.assertEqual(program.run("start", "-d").returncode, 0)
        self.addCleanup(program.run, "stop")
        master = int(re.search(r"pid (\d+)", program.run("start", "-d").stderr).group(1))
        children = [p["pid"] for p in program.status()["processes"]]
        os.kill(master, signal.SIGKILL)
        # Children notice that their master has gone, and leave the ports free.
        wait_until(lambda: not [pid for pid in children if running(pid)], 30, "the children have ended")
        self.assertEqual(program.run("start", "-d").returncode, 0)

    def test_restart(self):
        program, ports = self.echo()
        self.assertEqual(program.run("start", "-d").returncode, 0)
        self.addCleanup(program.run, "stop")
        before = [p["pid"] for p in program.status()["processes"]]
        restarted = program.run("restart", "-d")
        self.assertEqual(restarted.returncode, 0, restarted.stdout + restarted.stderr)
        self.assertFalse(set(before) & {p["pid"] for p in program.status()["processes"]})
        with LineClient(ports[0]) as client:
            client.send("Ehello")
            self.assertEqual(client.receive(), "Ehello")

    def test_a_port_in_use_is_one_line_before_anything_starts(self):
        for taken in range(3):
            program, ports = self.echo()
            with socket.socket() as holder:
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                holder.bind(("127.0.0.1", ports[taken]))
                holder.listen()
                result = program.run("start", "-d")
            self.assertEqual(result.returncode, 1)
            self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
            self.assertIn(str(ports[taken]), result.stderr)
            self.assertIn("in use", result.stderr)

    def test_bad_options_are_one_line(self):
        for arguments, words in [(["--listen", "websockt://127.0.0.1:1"], "websocket"), (["--listen", "text://127.0.0.1:99999"], "99999"),
                                 (["--listen", "text://127.0.0.1"], "IP:PORT"), (["--workers", "0"], "1 or more"), (["--workres", "2"], "--workers"),
                                 (["--register", "0.0.0.0:12345"], "secret_key"), (["--start-port", "70000"], "65535")]:
            result = subprocess.run([BIN / "echo", "start", *arguments], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
            self.assertEqual(result.returncode, 1, arguments)
            self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
            self.assertIn(words, result.stderr)

    def test_foreground_output_and_ctrl_c(self):
        program, _ = self.start_echo("websocket", gateways=2, workers=2)
        pids = [p["pid"] for p in program.status()["processes"]]
        for words in ("EchoGateway", "EchoWorker", "websocket://"):
            self.assertIn(words, program.log())
        program.stop()
        self.assertFalse([pid for pid in pids if running(pid)])
        self.assertNotIn("SIGKILL", program.log())

    def test_status_counts(self):
        program, (port,) = self.start_echo("text")
        with LineClient(port) as client:
            for _ in range(5):
                client.send("Ehello")
                client.receive()
            gateway = program.processes("gateway")[0]
            self.assertEqual(gateway["connections"], 1)
            self.assertEqual(gateway["messages_in"], 5)
            self.assertEqual(gateway["messages_out"], 5)
            table = program.run("status").stdout
            self.assertIn("EchoGateway", table)
            self.assertLessEqual(max(map(len, table.splitlines())), 100)

    def test_a_stopped_process_is_shown_as_busy(self):
        program, _ = self.start_echo("text")
        worker = program.pids("worker")[0]
        os.kill(worker, signal.SIGSTOP)
        try:
            self.assertEqual(program.processes("worker")[0]["state"], "busy")
        finally:
            os.kill(worker, signal.SIGCONT)


if __name__ == "__main__":
    unittest.main()
