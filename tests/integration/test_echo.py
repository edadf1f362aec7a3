"""The echo program with python3-websockets and plain sockets as its clients: every built-in protocol, whole and in pieces."""
import asyncio
import os
import random
import socket
import struct
import unittest

import websockets

from program import LineClient, ProgramTest, free_ports, open_websocket


class EchoTest(ProgramTest):
    async def test_websocket_text_and_binary_come_back_as_they_came(self):
        _, (port,) = self.start_echo("websocket", extra=["--mirror"])
        async with open_websocket(f"ws://127.0.0.1:{port}/") as client:
            for message in ["E", "", "hello", "Zoë 中文 😀", b"", b"\x00\xff\xfe", os.urandom(125), os.urandom(126), os.urandom(65535),
                            os.urandom(65536), "x" * (1024 * 1024)]:
                await client.send(message)
                answer = await asyncio.wait_for(client.recv(), 30)
                self.assertEqual(type(answer), type(message))
                self.assertEqual(answer, message)

    async def test_contract_of_the_load_generator(self):
        _, (port,) = self.start_echo("websocket", gateways=2, workers=2)
        url = f"ws://127.0.0.1:{port}/"
        async with open_websocket(url) as one, open_websocket(url) as two, open_websocket(url) as three:
            await one.send("Eback")
            self.assertEqual(await asyncio.wait_for(one.recv(), 30), "Eback")
            for member in (one, two):
                await member.send("Jroom 1")
                self.assertEqual(await asyncio.wait_for(member.recv(), 30), "j")
            await three.send("Proom 1\nto the room")
            await three.send("Aall")
            for member in (one, two):
                self.assertEqual(await asyncio.wait_for(member.recv(), 30), "to the room")
                self.assertEqual(await asyncio.wait_for(member.recv(), 30), "all")
            self.assertEqual(await asyncio.wait_for(three.recv(), 30), "all")

    async def test_fragments_and_pings_between_them(self):
        _, (port,) = self.start_echo("websocket", extra=["--mirror"])
        async with open_websocket(f"ws://127.0.0.1:{port}/") as client:
            async def fragments():
                yield "hel"
                await asyncio.wait_for(await client.ping(b"between"), 30)
                yield "lo "
                yield ""
                yield "you"
            await client.send(fragments())
            self.assertEqual(await asyncio.wait_for(client.recv(), 30), "hello you")

    async def test_many_messages_keep_their_order(self):
        _, (port,) = self.start_echo("websocket", gateways=2, workers=3)

        async def talk(number):
            async with open_websocket(f"ws://127.0.0.1:{port}/") as client:
                sent = [f"E{number}-{i}-" + "x" * random.randrange(300) for i in range(300)]
                for message in sent:
                    await client.send(message)
                self.assertEqual([await asyncio.wait_for(client.recv(), 60) for _ in sent], sent)

        await asyncio.gather(*[talk(number) for number in range(20)])

    async def test_too_big_a_message_is_refused_with_1009(self):
        _, (port,) = self.start_echo("websocket")
        async with open_websocket(f"ws://127.0.0.1:{port}/", max_size=None) as client:
            with self.assertRaises(websockets.ConnectionClosed) as closed:
                await client.send("E" * (1024 * 1024 + 1))  # may end in the middle of it
                await asyncio.wait_for(client.recv(), 30)
            self.assertEqual(closed.exception.rcvd.code, 1009)

    async def test_close_handshake(self):
        _, (port,) = self.start_echo("websocket")
        client = await open_websocket(f"ws://127.0.0.1:{port}/")
        await client.close(4321, "done")
        self.assertEqual(client.close_code, 4321)

    def test_text(self):
        _, (port,) = self.start_echo("text")
        with LineClient(port) as client, LineClient(port) as other:
            client.socket.sendall(b"Eone\r\nEtwo\r\r\nE  three \nEfo")
            client.socket.sendall(b"ur\n")
            self.assertEqual([client.receive() for _ in range(4)], ["Eone", "Etwo", "E  three ", "Efour"])
            other.send("Jroom")
            self.assertEqual(other.receive(), "j")
            client.send("Proom\twords")
            self.assertEqual(other.receive(), "words")

    def test_frame(self):
        _, (port,) = self.start_echo("frame", extra=["--mirror"])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            messages = [b"", b"a", os.urandom(70000), b"end"]
            stream = b"".join(struct.pack(">I", len(message) + 4) + message for message in messages)
            for start in range(0, len(stream), 9973):
                client.sendall(stream[start:start + 9973])
            back = b""
            while len(back) < len(stream):
                chunk = client.recv(65536)
                self.assertTrue(chunk, "closed too early")
                back += chunk
            self.assertEqual(back, stream)

    def test_frame_with_an_impossible_length_is_closed(self):
        _, (port,) = self.start_echo("frame")
        for length in (0, 3, 2**31, 2**32 - 1):
            with LineClient(port) as client:
                client.socket.sendall(struct.pack(">I", length))
                self.assertTrue(client.is_closed(), length)

    def test_tcp(self):
        _, (port,) = self.start_echo("tcp", extra=["--mirror"])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            data = os.urandom(200_000)
            client.sendall(data)
            back = b""
            while len(back) < len(data):
                chunk = client.recv(65536)
                self.assertTrue(chunk, "closed too early")
                back += chunk
            self.assertEqual(back, data)

    def test_who_closes_its_direction_gets_all_answers(self):
        schemes = ("text", "frame", "tcp")
        _, ports = self.start_echo(*schemes, extra=["--mirror"])
        messages = {"text": b"".join(b"line %d\n" % i for i in range(500)),
                    "frame": b"".join(struct.pack(">I", 4 + i) + bytes(i) for i in range(500)), "tcp": os.urandom(300_000)}
        for scheme, port in zip(schemes, ports):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                client.sendall(messages[scheme])
                client.shutdown(socket.SHUT_WR)
                answers = b""
                while chunk := client.recv(65536):
                    answers += chunk
                self.assertEqual(answers, messages[scheme], scheme)

    def test_a_protocol_of_ones_own(self):
        """The example custom_protocol, with what its README says."""
        address, register, inner = free_ports(3)
        self.start("custom_protocol", "--address", f"127.0.0.1:{address}", "--register-port", register, "--inner-port", inner)
        with LineClient(address) as client, LineClient(address) as other:
            for piece in (b"5:hello,12:hel", b"lo, world,"):
                client.socket.sendall(piece)
            expected = b"21:message 1 has 5 bytes,22:message 2 has 12 bytes,"
            while len(client.buffer) < len(expected):
                chunk = client.socket.recv(100)
                self.assertTrue(chunk, client.buffer)
                client.buffer += chunk
            self.assertEqual(client.buffer, expected)
            other.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertTrue(other.is_closed())
            self.assertEqual(other.buffer, b"")

    def test_four_protocols_in_one_cluster(self):
        program, ports = self.start_echo("websocket", "text", "frame", "tcp")
        with LineClient(ports[1]) as text, LineClient(ports[3]) as tcp:
            text.send("Jall")
            self.assertEqual(text.receive(), "j")
            tcp.socket.sendall(b"Pall\tacross")
            self.assertEqual(text.receive(), "across")
        self.assertEqual(len(program.pids("gateway")), 4)


if __name__ == "__main__":
    unittest.main()
