"""gatehouse call: every command and question, checked at the clients of an echo cluster with two gateways."""
import asyncio
import json
import os
import signal
import subprocess
import tempfile

import websockets

from program import BIN, LineClient, ProgramTest, free_ports, open_websocket, wait_until

STRANGER = "7f00000100010000002a"


class CallsTest(ProgramTest):
    def start_cluster(self, scheme="websocket"):
        """Two gateways on one port each, so that a client's gateway is known."""
        ports = free_ports(5)
        self.register = f"127.0.0.1:{ports[0]}"
        self.ports = ports[1:3]
        self.inner = ports[3:5]
        arguments = ["--register", self.register, "--start-port", self.inner[0]]
        for port in self.ports:
            arguments += ["--listen", f"{scheme}://127.0.0.1:{port}"]
        self.program_ = self.start("echo", *arguments)
        self.program_.wait_until_joined(1)
        return self.program_

    def run_call(self, *words, stdin=b"", environment=None):
        command = [BIN / "gatehouse", "call", "--register", self.register, *map(str, words)]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=60, env={**os.environ, **(environment or {})})

    def call(self, *words, stdin=b""):
        """The lines that are printed."""
        result = self.run_call(*words, stdin=stdin)
        self.assertEqual((result.returncode, result.stderr), (0, b""), words)
        return result.stdout.decode().splitlines()

    def json(self, *words):
        result = self.run_call("--json", *words)
        self.assertEqual((result.returncode, result.stderr), (0, b""), words)
        return json.loads(result.stdout)

    async def connect(self, gateway):
        """A WebSocket client of one of the two gateways, and its id."""
        before = set(self.call("client_ids"))
        client = await open_websocket(f"ws://127.0.0.1:{self.ports[gateway]}/")
        self.addAsyncCleanup(client.close)
        (new,) = set(self.call("client_ids")) - before
        self.assertEqual(int(new[8:12], 16), self.inner[gateway])
        return client, new

    async def assert_receives(self, client, *messages):
        for message in messages:
            self.assertEqual(await asyncio.wait_for(client.recv(), 30), message)

    async def assert_closed(self, client, *last_words):
        await self.assert_receives(client, *last_words)
        with self.assertRaises(websockets.ConnectionClosed):
            await asyncio.wait_for(client.recv(), 30)

    async def test_messages(self):
        self.start_cluster()
        (a, id_a), (b, id_b), (c, id_c) = [await self.connect(gateway) for gateway in (0, 1, 1)]
        self.call("bind_uid", id_a, "u1")
        self.call("bind_uid", id_b, "u1")
        self.call("join_group", id_b, "room")
        self.call("join_group", id_c, "room")
        self.call("join_group", id_c, "hall")

        self.call("send_to_all", "1")
        self.call("send_to_all", "2", "--except", id_a, "--except", id_c)
        self.call("send_to_client", id_a, "3")
        self.call("send_to_clients", id_a, id_b, "4")
        self.call("send_to_uid", "u1", "nobody", "5")
        self.call("send_to_uid", "u1", "6", "--except", id_a)
        self.call("send_to_group", "room", "7")
        self.call("send_to_group", "room", "hall", "8", "--except", id_b)
        self.call("send_to_all", "-", "--binary", stdin=b"\x00\xff 9")
        self.call("send_to_client", "--", id_a, "-10-")
        self.call("send_to_client", id_a, "")
        self.assertIsNone(self.json("send_to_all", "Zoë 中文"))
        await self.assert_receives(a, "1", "3", "4", "5", b"\x00\xff 9", "-10-", "", "Zoë 中文")
        await self.assert_receives(b, "1", "2", "4", "5", "6", "7", b"\x00\xff 9", "Zoë 中文")
        await self.assert_receives(c, "1", "7", "8", "8", b"\x00\xff 9", "Zoë 中文")

        # Raw: the bytes of a whole frame, a text message of two letters.
        self.call("send_to_client", id_c, "-", "--raw", stdin=b"\x81\x02ok")
        await self.assert_receives(c, "ok")

    async def test_ends(self):
        self.start_cluster()
        (a, id_a), (b, id_b), (c, id_c), (d, id_d), (e, id_e) = [await self.connect(gateway) for gateway in (0, 1, 0, 1, 0)]
        for client in (id_a, id_b):
            self.call("bind_uid", client, "u1")
        self.call("close_uid", "u1", "signed in elsewhere")
        await self.assert_closed(a, "signed in elsewhere")
        await self.assert_closed(b, "signed in elsewhere")
        self.call("close_client", id_c)
        await self.assert_closed(c)
        self.assertEqual(c.close_code, 1000)
        self.call("close_client", id_d, "-", "--binary", stdin=b"\x00")
        await self.assert_closed(d, b"\x00")
        self.call("destroy_client", id_e)
        await self.assert_closed(e)
        self.assertEqual(self.call("client_count"), ["0"])
        # Whoever is not there (any more) is passed over.
        for words in (["close_client", id_a], ["destroy_client", STRANGER], ["close_uid", "u1"], ["send_to_client", id_a, "x"]):
            self.assertEqual(self.call(*words), [])

    async def test_a_heartbeat_of_its_own(self):
        """On a gateway that has none, but says what one would be like."""
        register, port, inner = free_ports(3)
        self.register = f"127.0.0.1:{register}"
        text = f"""
[register]
listen = "text://{self.register}"
[[gateway]]
listen = "text://127.0.0.1:{port}"
start_port = {inner}
register = "{self.register}"
ping_not_response_limit = 1
ping_data = "ping"
"""
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            program = self.start("gatehouse", "-c", file.name)
        self.start("native_worker", "--register", self.register)
        program.wait_until_joined(1)
        with LineClient(port) as one:
            (id_one,) = wait_until(lambda: self.call("client_ids"), what="the first client")
            with LineClient(port) as other:
                wait_until(lambda: self.call("client_count") == ["2"], what="the second client")
                self.call("set_ping_interval", id_one, "300ms")
                self.assertEqual(one.receive(), "ping")
                self.assertTrue(one.is_closed(), "it has not answered")
                self.call("set_ping_interval", id_one, "300ms")  # of somebody who has gone
                self.assertEqual(self.call("client_count"), ["1"])
                other.send("hello")
                self.assertEqual(other.receive(), "echo hello")

    async def test_names_and_questions(self):
        self.start_cluster()
        (_, id_a), (_, id_b), (_, id_c) = [await self.connect(gateway) for gateway in (0, 1, 1)]
        self.call("bind_uid", id_a, "u1")
        self.call("bind_uid", id_b, "u1")
        self.call("bind_uid", id_c, "7")
        for client, group in ((id_a, "room"), (id_b, "room"), (id_b, "7"), (id_c, "void"), (id_c, "room")):
            self.call("join_group", client, group)
        self.call("leave_group", id_c, "void")
        self.call("set_session", id_a, '{"name":"Tom","n":1}')
        self.call("update_session", id_a, '{"n":2}')

        self.assertEqual(self.call("is_online", id_a), ["true"])
        self.assertEqual(self.call("is_online", STRANGER), ["false"])
        self.assertEqual(self.call("uid_by_client_id", id_c), ["7"])
        self.assertEqual(self.json("uid_by_client_id", id_c), "7")
        self.assertEqual(sorted(self.call("groups_by_client_id", id_b)), ["7", "room"])
        self.assertEqual(self.json("session", id_a), {"name": "Tom", "n": 2})
        self.assertEqual(self.call("session", id_b), ["{}"])
        self.assertEqual(self.call("session", STRANGER), ["null"])
        self.assertEqual(self.call("is_uid_online", "u1"), ["true"])
        self.assertEqual(self.call("is_uid_online", "nobody"), ["false"])
        self.assertEqual(self.json("are_uids_online", "u1", "7", "nobody"), {"u1": True, "7": True, "nobody": False})
        self.assertEqual(sorted(self.call("client_ids_by_uid", "u1")), sorted([id_a, id_b]))
        self.assertEqual(sorted(self.call("client_ids_by_uids", "u1", "7", "nobody")), sorted([f"u1\t{id_a}", f"u1\t{id_b}", f"7\t{id_c}"]))
        self.assertEqual(self.json("client_ids_by_uids", "nobody"), {"nobody": []})
        self.assertEqual(self.call("client_count"), ["3"])
        self.assertEqual(self.json("client_count"), 3)
        self.assertEqual(self.call("client_count_by_group", "room"), ["3"])
        self.assertEqual(self.json("client_counts_by_groups", "room", "7", "void"), {"room": 3, "7": 1, "void": 0})
        self.assertEqual(set(self.call("client_ids")), {id_a, id_b, id_c})
        self.assertEqual(self.call("client_ids_by_group", "7"), [id_b])
        self.assertEqual(sorted(self.call("uids")), ["7", "u1"])
        self.assertEqual(self.call("uids_by_group", "7"), ["u1"])
        self.assertEqual(self.call("uid_count"), ["2"])
        self.assertEqual(self.call("uid_count_by_group", "room"), ["2"])
        self.assertEqual(sorted(self.call("group_ids")), ["7", "room"])
        self.assertEqual(self.json("sessions"), {id_a: {"name": "Tom", "n": 2}, id_b: {}, id_c: {}})
        self.assertEqual(self.call("sessions_by_group", "7"), [f"{id_b}\t{{}}"])
        everybody = self.json("clients_by_all_groups")
        self.assertEqual({group: set(ids) for group, ids in everybody.items()}, {"room": {id_a, id_b, id_c}, "7": {id_b}})
        uids = self.json("uids_by_all_groups")
        self.assertEqual({group: set(ids) for group, ids in uids.items()}, {"room": {"u1", "7"}, "7": {"u1"}})
        self.assertEqual(self.json("client_counts_by_all_groups"), {"room": 3, "7": 1})
        self.assertEqual(self.json("uid_counts_by_all_groups"), {"room": 2, "7": 1})

        self.call("unbind_uid", id_c)
        self.assertEqual(self.call("uid_by_client_id", id_c), [])
        self.assertIsNone(self.json("uid_by_client_id", id_c))
        self.call("ungroup", "room")
        self.assertEqual(self.call("group_ids"), ["7"])

    async def test_the_table_of_the_help_is_all_there_is(self):
        """Each call that the help lists is used in this file."""
        text = subprocess.run([BIN / "gatehouse", "call", "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
        names = [line.split()[0] for line in text.split("Options:")[0].splitlines() if line.startswith("  ")]
        self.assertEqual(len(names), len(set(names)))
        self.assertGreater(len(names), 35)
        with open(__file__, encoding="utf-8") as file:
            source = file.read()
        self.assertEqual([name for name in names if f'"{name}"' not in source], [])

    async def test_a_gateway_that_hangs_is_named_and_the_others_go_on(self):
        program = self.start_cluster()
        (a, _), (_, id_b) = await self.connect(0), await self.connect(1)
        hung = f"127.0.0.1:{self.inner[1]}"
        pid = next(p["pid"] for p in program.processes("gateway") if str(self.ports[1]) in p["listening"])
        os.kill(pid, signal.SIGSTOP)
        try:
            result = self.run_call("client_count", "--timeout", "2s")  # long enough for the other one, however busy the machine is
            self.assertEqual((result.returncode, result.stdout), (1, b""))
            self.assertIn(hung, result.stderr.decode())
            self.assertNotIn(f"127.0.0.1:{self.inner[0]}", result.stderr.decode())
            result = self.run_call("send_to_all", "goes on", "--timeout", "2s")
            self.assertEqual(result.returncode, 1)
            self.assertIn(hung, result.stderr.decode())
            await self.assert_receives(a, "goes on")
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(self.call("is_online", id_b), ["true"])

    async def test_a_gateway_that_is_killed_costs_only_its_own_clients(self):
        program = self.start_cluster()
        (a, id_a), (b, _) = await self.connect(0), await self.connect(1)
        pid = next(p["pid"] for p in program.processes("gateway") if str(self.ports[1]) in p["listening"])
        os.kill(pid, signal.SIGKILL)
        await self.assert_closed(b)
        # Until the register has noticed, a call says who is missing; never is a number given out as if it were all.
        for _ in range(20):
            result = self.run_call("client_ids")
            if result.returncode == 0:
                self.assertEqual(result.stdout.decode().split(), [id_a])
            else:
                self.assertIn(f"127.0.0.1:{self.inner[1]}", result.stderr.decode())
        self.call("send_to_client", id_a, "still here")
        await self.assert_receives(a, "still here")
        wait_until(lambda: pid not in program.pids("gateway"), what="it is known that the gateway is gone")
        program.wait_until_joined(1)
        _, id_c = await self.connect(1)
        self.assertEqual(self.call("is_online", id_c), ["true"])

    async def test_where_the_cluster_is(self):
        """The register and the secret from the options, the configuration, the environment."""
        ports = free_ports(3)
        text = f"""
[register]
listen = "text://0.0.0.0:{ports[0]}"
secret_key = "s3"
[[gateway]]
listen = "text://127.0.0.1:{ports[1]}"
start_port = {ports[2]}
register = ["127.0.0.1:{ports[0]}"]
secret_key = "s3"
"""
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            self.start("gatehouse", "-c", file.name)
            self.register = "127.0.0.1:1"
            command = [BIN / "gatehouse", "-c", file.name, "call", "client_count"]
            wait_until(lambda: subprocess.run(command, capture_output=True, timeout=60).stdout == b"0\n", what="an answer")
        self.register = f"127.0.0.1:{ports[0]}"
        self.assertEqual(self.call("client_count", "--secret-key", "s3"), ["0"])
        self.assertEqual(self.run_call("client_count", environment={"GATEHOUSE_SECRET_KEY": "s3"}).stdout, b"0\n")
        wrong = self.run_call("client_count", "--secret-key", "s4", "--timeout", "2s")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn(b"secret_key", wrong.stderr)

    async def test_mistakes(self):
        self.register = "127.0.0.1:1"
        for words, said in [(["send_to_grup", "g", "x"], "send_to_group"), (["send_to_group", "g"], "send_to_group GROUP... DATA"),
                            (["client_count", "--jsn"], "--json"), (["send_to_client", "zz", "x"], "20 hexadecimal"),
                            (["join_group", STRANGER, "0"], "group"), (["client_count", "--timeout", "soon"], "5s")]:
            result = self.run_call(*words)
            self.assertEqual(result.returncode, 2, words)
            self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)
            self.assertIn(said, result.stderr.decode())
        result = self.run_call("send_to_all", "-", stdin=b"x" * (32 * 1024 * 1024 + 1))
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr.decode(), "gatehouse call: data: 33554433 bytes are too many: one call carries at most 33554432, "
                                                 "with ids (24 bytes each) and names counted\n")
        result = self.run_call("client_count", "--timeout", "1s")
        self.assertEqual(result.returncode, 1)
        self.assertIn("127.0.0.1:1: Connection refused", result.stderr.decode())


if __name__ == "__main__":
    import unittest
    unittest.main()
