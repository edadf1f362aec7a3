"""What a gateway and a native worker make of handshakes, with python3-websockets as the client: subprotocols, refusals, compression, limits."""
import asyncio
import tempfile

import websockets

from program import ProgramTest, free_ports, open_websocket, wait_until

CONFIGURATION = """
[register]
listen = "text://127.0.0.1:{register}"

[[gateway]]
name = "web"
listen = "websocket://127.0.0.1:{port}"
start_port = {inner}
register = ["127.0.0.1:{register}"]
subprotocols = ["chat.v2", "chat.v1"]
handshake_by_worker = true
deflate = true
max_connections_per_address = 3
allowed_origins = ["https://chat.example"]
"""


class HandshakesTest(ProgramTest):
    def start_cluster(self):
        register, port, inner = free_ports(3)
        file = tempfile.NamedTemporaryFile("w", suffix=".toml")
        self.addCleanup(file.close)
        file.write(CONFIGURATION.format(register=register, port=port, inner=inner))
        file.flush()
        self.gatehouse = self.start("gatehouse", "-c", file.name)
        self.start("native_worker", "--register", f"127.0.0.1:{register}")
        self.gatehouse.wait_until_joined(1)
        self.url = f"ws://127.0.0.1:{port}/"

    def connect(self, path="", **more):
        return open_websocket(self.url + path, **{"origin": "https://chat.example", **more})

    async def connect_when_there_is_room(self):
        """Those that were refused or closed count until their sockets are gone."""
        for _ in range(500):
            try:
                return await self.connect()
            except websockets.InvalidStatusCode as refused:
                self.assertEqual(refused.status_code, 429)
            await asyncio.sleep(0.02)
        self.fail("no room for a client")

    async def assert_refused(self, status, connection):
        with self.assertRaises(websockets.InvalidStatusCode) as refused:
            await connection
        self.assertEqual(refused.exception.status_code, status)

    async def test_all(self):
        self.start_cluster()
        async with self.connect(subprotocols=["chat.v1", "chat.v2"]) as client:
            self.assertEqual(client.subprotocol, "chat.v2")
            self.assertIn("permessage-deflate", client.response_headers["Sec-WebSocket-Extensions"])
            words = "to be compressed " * 100
            await client.send(words)
            self.assertEqual(await asyncio.wait_for(client.recv(), 30), "echo " + words)
        async with self.connect("?protocol=chat.v1", subprotocols=["chat.v1", "chat.v2"]) as client:
            self.assertEqual(client.subprotocol, "chat.v1")
        async with self.connect(compression=None) as client:
            self.assertIsNone(client.subprotocol)
            self.assertNotIn("Sec-WebSocket-Extensions", client.response_headers)
        await self.assert_refused(401, self.connect("?refuse=401"))
        await self.assert_refused(403, self.connect(origin="https://evil.example"))
        await self.assert_refused(403, self.connect(origin=None))

        def gateway():
            (process,) = self.gatehouse.processes("gateway")
            return process

        clients = [await self.connect_when_there_is_room() for _ in range(3)]
        await self.assert_refused(429, self.connect())
        for client in clients:
            await client.close()
        limits = gateway()["limits"]
        self.assertEqual(limits["origin"], 2)
        self.assertGreaterEqual(limits["connections_per_address"], 1)
        wait_until(lambda: "limit origin: " in self.gatehouse.log(), what="a line in the log")


if __name__ == "__main__":
    import unittest

    unittest.main()
