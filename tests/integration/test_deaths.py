"""kill -9 of every role while clients talk: the others never notice, and what was killed comes back."""
import asyncio
import contextlib
import os
import signal
import unittest

from program import LineClient, ProgramTest, open_websocket, wait_until


class Talker:
    """Says something every few milliseconds and holds every answer against what was said."""

    def __init__(self, client):
        self.client = client
        self.said = 0
        self.heard = 0
        self.stopping = False

    async def run(self):
        while not self.stopping:
            message = f"E{self.said}"
            self.said += 1
            await self.client.send(message)
            answer = await asyncio.wait_for(self.client.recv(), 30)
            assert answer == message, f"{answer!r} instead of {message!r}"
            self.heard += 1
            await asyncio.sleep(0.005)


class DeathsTest(ProgramTest):
    async def talk_during(self, port, count, what):
        """`count` clients talk before, during and after `what()`; all must be connected and answered all along."""
        clients = [await open_websocket(f"ws://127.0.0.1:{port}/") for _ in range(count)]
        talkers = [Talker(client) for client in clients]
        tasks = [asyncio.create_task(talker.run()) for talker in talkers]
        await asyncio.sleep(0.3)
        await asyncio.to_thread(what)
        before = [talker.heard for talker in talkers]

        def all_go_on():
            return all(talker.heard > then + 3 for talker, then in zip(talkers, before)) or any(task.done() for task in tasks)

        await asyncio.to_thread(wait_until, all_go_on, 30, "every client is answered again")
        for talker in talkers:
            talker.stopping = True
        await asyncio.gather(*tasks)
        for client in clients:
            await client.close()
            self.assertEqual(client.close_code, 1000)

    async def test_register(self):
        program, (port,) = self.start_echo("websocket", gateways=2, workers=2)
        await self.talk_during(port, 8, lambda: program.kill("register"))
        # The phone book fills itself again: a worker that comes now finds every gateway.
        program.kill("worker")
        await self.talk_during(port, 8, lambda: None)
        self.assertIn("SIGKILL", program.log())

    async def test_gateway_costs_only_its_own_clients(self):
        program, ports = self.start_echo("websocket", "text")
        killed = next(p["pid"] for p in program.processes("gateway") if p["listening"].startswith("text"))
        with LineClient(ports[1]) as lost:
            lost.send("Ehere")
            self.assertEqual(lost.receive(), "Ehere")

            def kill():
                os.kill(killed, signal.SIGKILL)
                wait_until(lambda: killed not in program.pids("gateway") and len(program.pids("gateway")) == 2, 30, "a new gateway")

            await self.talk_during(ports[0], 8, kill)
            self.assertTrue(lost.is_closed())

        def answered():
            with contextlib.suppress(ConnectionError), LineClient(ports[1]) as again:
                again.send("Eagain")
                return again.receive() == "Eagain"
            return False  # it does not listen yet

        wait_until(answered, 30, "the gateway serves again")

    async def test_worker_costs_nobody_a_connection(self):
        program, (port,) = self.start_echo("websocket", workers=2)
        clients = [await open_websocket(f"ws://127.0.0.1:{port}/") for _ in range(10)]
        for number, client in enumerate(clients):
            await client.send(f"E{number}")
            self.assertEqual(await asyncio.wait_for(client.recv(), 30), f"E{number}")
        await asyncio.to_thread(program.kill, "worker")
        for number, client in enumerate(clients):
            await client.send(f"Eafter {number}")
            self.assertEqual(await asyncio.wait_for(client.recv(), 30), f"Eafter {number}")
            await client.close()

    async def test_events_wait_while_there_is_no_worker(self):
        program, (port,) = self.start_echo("websocket")
        async with open_websocket(f"ws://127.0.0.1:{port}/") as client:
            await client.send("E1")
            self.assertEqual(await asyncio.wait_for(client.recv(), 30), "E1")
            worker = program.pids("worker")[0]
            os.kill(worker, signal.SIGSTOP)  # so that the messages are certain to be there before the next one starts
            os.kill(worker, signal.SIGKILL)
            await asyncio.sleep(0.2)
            for number in range(50):
                await client.send(f"E{number}")
            # Those that were on their way to the dead one, too.
            answers = [await asyncio.wait_for(client.recv(), 30) for _ in range(50)]
            self.assertEqual(answers, [f"E{number}" for number in range(50)])

    async def test_a_new_client_during_the_absence_of_workers_is_served_later(self):
        program, (port,) = self.start_echo("websocket")
        os.kill(program.pids("worker")[0], signal.SIGKILL)
        async with open_websocket(f"ws://127.0.0.1:{port}/", open_timeout=30) as client:
            await client.send("Enew")
            self.assertEqual(await asyncio.wait_for(client.recv(), 30), "Enew")

    async def test_one_that_dies_again_and_again_is_restarted_with_growing_pauses(self):
        program, _ = self.start_echo("websocket", workers=2)
        victim = program.processes("worker")[0]["index"]

        def current():
            return next(p for p in program.processes("worker") if p["index"] == victim)

        # Whether it is ready again is not waited for: a life of 2 s would be long enough for a fresh start.
        for death in range(1, 5):
            pid = wait_until(lambda: current()["pid"], 30, "it is started again")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: current()["restarts"] == death, 30, "the death is noticed")
        self.assertRegex(program.log(), r"again in 0\.[1-9]")


if __name__ == "__main__":
    unittest.main()
