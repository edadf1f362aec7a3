"""Clients that mean no good, many at a time, until standard input ends: what the classes of docs/security.md do, over real sockets.

    hostile.py HOST PORT CLIENTS [SEED]

Prints at its end, as JSON, how often each was done. None of them expects anything; what a gateway owes its honest clients meanwhile
is looked at elsewhere.
"""
import asyncio
import collections
import contextlib
import json
import logging
import random
import socket
import struct
import sys
import zlib

REQUEST = (b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
END = b"\r\n"


def frame(payload, first=0x81, masked=True, length=None):
    size = len(payload) if length is None else length
    bit = 0x80 if masked else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 65536:
        head = struct.pack(">BBH", first, bit | 126, size)
    else:
        head = struct.pack(">BBQ", first, bit | 127, size)
    return head + (b"\0\0\0\0" if masked else b"") + payload


def bomb():
    """A few KB that inflate to 64 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(bytes(64 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)[:-4]


BOMB = bomb()


class Hostile:
    def __init__(self, host, port, seed):
        self.host, self.port = host, port
        self.random = random.Random(seed)
        self.done = collections.Counter()
        self.ways = [self.garbage, self.long_head, self.slow_head, self.silent, self.bad_frame, self.false_length, self.fragments,
                     self.bomb, self.pings, self.slow_reader, self.flood, self.half_message, self.leaves_at_once, self.many_at_once]

    async def live(self, ending):
        while not ending.is_set():
            way = self.random.choice(self.ways)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, EOFError):
                reader, writer = await asyncio.wait_for(asyncio.open_connection(self.host, self.port), 10)
                try:
                    await asyncio.wait_for(way(reader, writer), 20)
                finally:
                    self.done[way.__name__] += 1
                    self.end(writer)
            await asyncio.sleep(self.random.random() * 0.2)

    def end(self, writer):
        """In order, or with a reset."""
        if self.random.random() < 0.5 and not writer.transport.is_closing():
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            writer.close()

    async def shake_hands(self, reader, writer, more=b""):
        writer.write(REQUEST + more + END)
        await reader.readuntil(b"\r\n\r\n")

    async def garbage(self, reader, writer):
        writer.write(self.random.randbytes(self.random.randrange(1, 5000)))
        await reader.read(100)

    async def long_head(self, reader, writer):
        for _ in range(200):
            writer.write(b"X-%d: %s\r\n" % (self.random.randrange(1000), b"y" * 100) if _ else REQUEST)
            await writer.drain()
        await reader.read(100)

    async def slow_head(self, reader, writer):
        for byte in REQUEST + END:
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.1)

    async def silent(self, reader, writer):
        await asyncio.sleep(self.random.random() * 15)

    async def bad_frame(self, reader, writer):
        await self.shake_hands(reader, writer)
        writer.write(self.random.choice([
            frame(b"x", masked=False), frame(b"x", first=0xc1), frame(b"x", first=0x83), frame(b"x", first=0x80), frame(b"\xff"),
            frame(b"x" * 126, first=0x89), frame(b"x", first=0x88), frame(struct.pack(">H", 1005), first=0x88)]))
        await reader.read()

    async def false_length(self, reader, writer):
        await self.shake_hands(reader, writer)
        writer.write(frame(b"", length=self.random.choice([1 << 20 | 1, 1 << 31, 1 << 62, 1 << 63, (1 << 64) - 1])))
        await reader.read()

    async def fragments(self, reader, writer):
        await self.shake_hands(reader, writer)
        writer.write(frame(b"a", first=0x01))
        for _ in range(100):
            writer.write(frame(b"", first=0x00) * 50)
            await writer.drain()
        await reader.read()

    async def bomb(self, reader, writer):
        await self.shake_hands(reader, writer, DEFLATE)
        writer.write(frame(BOMB, first=0xc1))
        await reader.read()

    async def pings(self, reader, writer):
        await self.shake_hands(reader, writer)
        for _ in range(200):
            writer.write(frame(b"p" * 125, first=0x89) * 100)
            await writer.drain()
        await asyncio.sleep(1)

    async def slow_reader(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await self.shake_hands(reader, writer)
        writer.write(frame(b"join"))
        writer.transport.pause_reading()
        await asyncio.sleep(15)

    async def flood(self, reader, writer):
        """Makes the business send much to those that do not read."""
        await self.shake_hands(reader, writer)
        writer.write(frame(b"flood 300"))
        await asyncio.sleep(self.random.random() * 5)

    async def half_message(self, reader, writer):
        await self.shake_hands(reader, writer)
        writer.write(frame(b"z" * self.random.randrange(500_000), length=900_000))
        await asyncio.sleep(self.random.random() * 10)

    async def leaves_at_once(self, reader, writer):
        writer.write(REQUEST + END + frame(b"sleep 50"))
        await writer.drain()

    async def many_at_once(self, reader, writer):
        others = [await asyncio.open_connection(self.host, self.port) for _ in range(20)]
        for _, other in others:
            self.end(other)


async def main(host, port, clients, seed):
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # that a gateway has cut them off is what they are here for
    ending = asyncio.Event()
    hostile = Hostile(host, port, seed)
    lives = [asyncio.create_task(hostile.live(ending)) for _ in range(clients)]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    ending.set()
    await asyncio.wait(lives, timeout=30)
    print(json.dumps(hostile.done), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 1))
