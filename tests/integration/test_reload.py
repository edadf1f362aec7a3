"""reload, stop -g and the death of workers under load: nothing is lost, nobody is disconnected."""
import os
import pathlib
import re
import signal
import tempfile
import time
import unittest

from php_peer import PhpPeerTest, events
from program import BIN, LineClient, free_ports, is_listening, wait_until
from steady_load import SteadyLoad

PLACE = b"THE-ANSWER-IS:"
SIZE = 16


class ReloadableTest(PhpPeerTest):
    def start_reloadable(self, *schemes, workers=2, extra=()):
        """A running cluster whose program file is the test's own; returns it and the client ports."""
        ports = free_ports(1 + 2 * len(schemes))
        clients = ports[1:1 + len(schemes)]
        program = self.program("reloadable", "--register", f"127.0.0.1:{ports[0]}", "--start-port", ports[1 + len(schemes)],
                               "--workers", workers, *extra)
        for scheme, port in zip(schemes, clients):
            program.arguments += ["--listen", f"{scheme}://127.0.0.1:{port}"]
        self.register = f"127.0.0.1:{ports[0]}"
        self.file = program.directory / "reloadable"
        program.name = str(self.file)
        self.put("first")
        self.addCleanup(program.stop)
        program.start()
        program.name = "reloadable"  # commands come from a file that is always whole
        program.wait_until_joined(workers)
        return program, clients

    def put(self, word):
        """Replaces the program file by one that answers with `word`, all at once."""
        image = (BIN / "reloadable").read_bytes()
        at = image.index(PLACE) + len(PLACE)
        self.put_bytes(image[:at] + word.encode().ljust(SIZE, b"_") + image[at + SIZE:])

    def put_bytes(self, image):
        new = self.file.with_suffix(".new")
        new.write_bytes(image)
        new.chmod(0o755)
        new.rename(self.file)

    def reload(self, program, *arguments):
        result = program.run("reload", *arguments)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr + program.log())
        return result.stdout

    def answers(self, client, word, message="hello"):
        client.send(message)
        self.assertEqual(client.receive(), f"{word} {message}")

    def send_until(self, program, client, name):
        """Gives a worker a handler that ends when the file that is returned exists; returns when it has begun."""
        file = program.directory / name
        client.send(f"until {file}")
        wait_until(file.with_name(name + ".begun").exists, what="the handler has begun")
        return file

    def said(self, client):
        client.send("hello")
        return client.receive()


class ReloadTest(ReloadableTest):
    def wait_until_all_heard(self, load, word):
        """However slow the machine is, each client must have had answers of each program."""
        last = word.encode()
        wait_until(lambda: load.mistakes or all(client.words[-1:] == [last] for client in load.clients), 60, f"everybody heard {word}")

    def test_under_load_each_client_turns_to_the_new_answers_once(self):
        program, (port,) = self.start_reloadable("websocket")
        load = SteadyLoad(port, clients=100, per_second=2000, exactly_once=True)
        words = ["first"]
        for word in ("second", "slow3", "fourth"):
            self.wait_until_all_heard(load, words[-1])
            time.sleep(0.2)
            before = program.pids("worker")
            self.put(word)
            self.assertIn("2 workers replaced", self.reload(program))
            words.append(word)
            after = program.pids("worker")
            self.assertEqual(len(after), 2)
            self.assertFalse(set(before) & set(after))
        self.wait_until_all_heard(load, words[-1])
        self.assertEqual(load.finish(), [], program.log())
        self.assertEqual(load.again, 0)
        for seen in load.words():
            self.assertEqual(list(seen), [word for word in words if word in seen], "in their order, each once")
            self.assertEqual((seen[0], seen[-1]), ("first", "fourth"))
        self.assertEqual([p["restarts"] for p in program.processes("worker")], [0, 0])

    def test_a_file_that_cannot_start_leaves_everything_as_it_was(self):
        program, (port,) = self.start_reloadable("text")
        before, gateways = program.pids("worker"), program.pids("gateway")
        bad = [("broken", "this program file is broken"), ("ending", "exit status 3")]
        with LineClient(port) as client:
            self.answers(client, "first")
            for word, reason in bad:
                self.put(word)
                failed = program.run("reload")
                self.assertEqual(failed.returncode, 1)
                self.assertRegex(failed.stderr, reason)
                self.assertEqual(len(failed.stderr.strip().splitlines()), 1, failed.stderr)
                self.assertRegex(program.log(), f"the reload failed.*{reason}")
            self.put_bytes(b"\x7fELF, but not really")
            failed = program.run("reload")
            self.assertEqual(failed.returncode, 1)
            self.assertRegex(failed.stderr, "Exec format error")
            self.file.unlink()
            failed = program.run("reload")
            self.assertEqual(failed.returncode, 1)
            self.assertRegex(failed.stderr, "No such file")
            self.answers(client, "first")
            self.assertEqual(before, program.pids("worker"))
            self.assertEqual(gateways, program.pids("gateway"), "they keep the settings that they had")
            self.put("second")
            self.reload(program)
            self.answers(client, "second")

    def test_php_workers_beside_are_not_disturbed(self):
        program, (port,) = self.start_reloadable("text", workers=1)
        _, log = self.start_php_worker(self.register, gateways=1, secret="")
        clients = [self.enterContext(LineClient(port)) for _ in range(6)]
        before = [self.said(client) for client in clients]
        self.assertEqual(set(before), {"first hello", "echo hello"})
        self.put("second")
        self.reload(program)
        self.assertEqual([self.said(client) for client in clients], [answer.replace("first", "second") for answer in before])
        # One that dies as they do costs the PHP worker nothing, and what PHP gets of it is as PHP knows it.
        native = next(client for client, answer in zip(clients, before) if answer.startswith("first"))
        pid = program.pids("worker")[0]
        os.kill(pid, signal.SIGSTOP)
        (gateway,) = program.processes("gateway")
        native.send("under way")
        wait_until(lambda: program.processes("gateway")[0]["messages_in"] > gateway["messages_in"], what="the gateway has passed it on")
        os.kill(pid, signal.SIGKILL)
        self.assertIn(native.receive(), {"echo under way", "second under way again"})
        self.assertEqual(len(events(log, "joined")), 1)
        self.assertEqual(events(log, "left"), [])

    def test_a_suspended_handler_finishes_and_what_its_client_says_next_waits(self):
        program, (port,) = self.start_reloadable("text", extra=["--log-level", "debug"])
        with LineClient(port) as sleeper, LineClient(port) as other:
            self.answers(sleeper, "first")
            self.answers(other, "first")
            wake = self.send_until(program, sleeper, "wake")
            self.put("second")
            self.assertRegex(self.reload(program, "-g"), "[12] old ones are still finishing")
            # With -g it returns when the old ones have been told, not when the gateway has heard of it.
            wait_until(lambda: program.log().count("is leaving;") == 2, what="both are leaving")
            sleeper.send("next")
            self.answers(other, "second")
            wake.touch()
            self.assertEqual(sleeper.receive(), f"first until {wake}")
            self.assertEqual(sleeper.receive(), "second next")
            # And one more, by signal.
            self.put("third")
            program.process.send_signal(signal.SIGUSR1)
            wait_until(lambda: self.said(other) == "third hello", what="the signal's reload")

    def test_one_that_is_not_done_in_time_is_done_again_by_another(self):
        program, (port,) = self.start_reloadable("text", extra=["--reload-timeout", "0.3"])
        with LineClient(port) as client:
            wake = self.send_until(program, client, "wake")
            self.put("second")
            self.assertRegex(self.reload(program), "[12] old ones were not done in time")
            client.send("next")
            wake.touch()
            self.assertEqual(client.receive(), f"second until {wake} again")
            self.assertEqual(client.receive(), "second next")

    def test_workers_are_killed_under_load(self):
        program, (port,) = self.start_reloadable("websocket", workers=2)
        load = SteadyLoad(port, clients=100, per_second=3000, exactly_once=False)
        time.sleep(0.3)
        for which in (0, 1, 0, 1):
            # Stopped first, so that it certainly has something that it has not finished.
            pid = program.pids("worker")[which]
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.1)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: len([p for p in program.processes("worker") if p["state"] == "running" and p["pid"] != pid]) == 2,
                       what="another in its place")
        self.assertEqual(load.finish(), [], program.log())
        self.assertGreater(load.again, 0)
        wait_until(lambda: "events that it had not finished; they go to another worker" in program.log(), what="a line in the log")

    def test_the_only_worker_is_killed(self):
        program, (port,) = self.start_reloadable("websocket", workers=1)
        load = SteadyLoad(port, clients=20, per_second=500, exactly_once=False)
        time.sleep(0.2)
        program.kill("worker")
        self.assertEqual(load.finish(), [], program.log())

    def test_a_message_that_ends_workers_costs_its_client_only(self):
        program, (port,) = self.start_reloadable("text", workers=1)
        with LineClient(port) as deadly, LineClient(port) as other:
            self.answers(other, "first")
            self.answers(deadly, "first")
            deadly.send("abort")
            self.assertTrue(deadly.is_closed())
            self.answers(other, "first")
        lost = "3 workers.*were lost while they handled one and the same event.*which is disconnected"
        wait_until(lambda: re.search(lost, program.log()), what=lost)

    def test_a_worker_that_hangs_is_given_up(self):
        program, (port,) = self.start_reloadable("text", workers=2, extra=["--worker-timeout-ms", 3000])
        with LineClient(port) as one, LineClient(port) as two:
            self.answers(one, "first")
            self.answers(two, "first")
            hung = program.pids("worker")[0]
            os.kill(hung, signal.SIGSTOP)
            one.send("1")
            two.send("2")
            heard = {one.receive(), two.receive()}
            self.assertTrue(heard & {"first 1 again", "first 2 again"}, heard)
            # What it would say about them now would be said twice.
            os.kill(hung, signal.SIGKILL)
            self.answers(one, "first")
            self.answers(two, "first")

    def test_reload_without_workers_and_without_an_instance(self):
        program, _ = self.start_reloadable("text", workers=0)
        self.assertIn("0 workers replaced", self.reload(program))
        program.process.send_signal(signal.SIGUSR1)  # a signal has only the log to say it
        wait_until(lambda: program.log().count("reloaded: 0 processes replaced") == 2, what="a line for each")
        program.stop()
        failed = program.run("reload")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("is not running", failed.stderr)


class GracefulStopTest(ReloadableTest):
    def test_clients_may_stay_until_they_go(self):
        program, (port,) = self.start_reloadable("text")
        with LineClient(port) as client:
            self.answers(client, "first")
            program.process.send_signal(signal.SIGQUIT)
            wait_until(lambda: not is_listening(port), what="new clients are refused")
            self.answers(client, "first")
            # Its worker may even die meanwhile.
            os.kill(program.pids("worker")[0], signal.SIGKILL)
            os.kill(program.pids("worker")[1], signal.SIGKILL)
            self.assertIn(self.said(client), {"first hello", "first hello again"})
            self.assertIsNone(program.process.poll())
            self.assertIn("it is being stopped", program.run("reload").stderr)
        self.assertEqual(program.process.wait(30), 0)

    def test_workers_that_are_just_starting_hear_of_it(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        hold = pathlib.Path(directory.name) / "hold"
        os.environ["GATEHOUSE_TEST_SLOW_START"] = str(hold)
        try:
            program, (port,) = self.start_reloadable("text")
        finally:
            del os.environ["GATEHOUSE_TEST_SLOW_START"]
        old = program.pids("worker")
        with LineClient(port) as client:
            self.answers(client, "first")
            program.process.send_signal(signal.SIGQUIT)
            wait_until(lambda: not is_listening(port), what="new clients are refused")
            hold.touch()
            for pid in old:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not {None, *old} & {*program.pids("worker")}, what="others are starting in their place")
        # The last client has gone, so the gateway goes, and then it is the workers' turn, which do not listen yet.
        wait_until(lambda: program.processes("gateway")[0]["state"] == "stopped", what="the gateway has ended")
        hold.unlink()
        self.assertEqual(program.process.wait(30), 0)
        self.assertNotIn("not all clients have gone in time", program.log())

    def test_the_command_waits_and_the_deadline_ends_it(self):
        program, (port,) = self.start_reloadable("text", extra=["--graceful-timeout", "1"])
        with LineClient(port) as client:
            self.answers(client, "first")
            begun = time.monotonic()
            stopped = program.run("stop", "-g")
            self.assertEqual(stopped.returncode, 0, stopped.stderr)
            self.assertGreaterEqual(time.monotonic() - begun, 1)
            self.assertTrue(client.is_closed())
        self.assertEqual(program.process.wait(30), 0)
        self.assertRegex(program.log(), "not all clients have gone in time")

    def test_whoever_stops_it_may_have_less_patience_than_it_was_started_with(self):
        program, (port,) = self.start_reloadable("text")
        with LineClient(port) as client:
            self.answers(client, "first")
            stopped = program.run("stop", "-g", "--graceful-timeout", "0.5", timeout=30)
            self.assertEqual(stopped.returncode, 0, stopped.stderr)
            self.assertTrue(client.is_closed())
        self.assertEqual(program.process.wait(30), 0)

    def test_without_clients_it_is_a_stop(self):
        program, _ = self.start_reloadable("text", "websocket")
        self.assertEqual(program.run("stop", "-g").returncode, 0)
        self.assertEqual(program.process.wait(30), 0)

    def test_a_stop_ends_the_patience(self):
        program, (port,) = self.start_reloadable("text")
        with LineClient(port) as client:
            self.answers(client, "first")
            program.process.send_signal(signal.SIGQUIT)
            wait_until(lambda: not is_listening(port), what="new clients are refused")
            self.assertEqual(program.run("stop").returncode, 0)
            self.assertTrue(client.is_closed())
        self.assertEqual(program.process.wait(30), 0)


if __name__ == "__main__":
    unittest.main()
