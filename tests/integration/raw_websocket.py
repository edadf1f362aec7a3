"""A WebSocket client whose frames are made beforehand, so that many leave in one write and the test decides when."""
import socket
import struct


class RawWebSocket:
    def __init__(self, port, timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(b"GET / HTTP/1.1\r\nHost: test.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            got = self.socket.recv(1)
            if not got:
                raise ConnectionError(f"closed after {head!r}")
            head += got

    @staticmethod
    def frame(payload, opcode=1):
        """Masked with zeros, which is a mask like any other."""
        if len(payload) < 126:
            length = bytes([0x80 | len(payload)])
        elif len(payload) < 1 << 16:
            length = struct.pack(">BH", 0x80 | 126, len(payload))
        else:
            length = struct.pack(">BQ", 0x80 | 127, len(payload))
        return bytes([0x80 | opcode]) + length + b"\0\0\0\0" + payload

    @staticmethod
    def answer_size(payload):
        return len(payload) + (2 if len(payload) < 126 else 4 if len(payload) < 1 << 16 else 10)

    def send(self, frames):
        self.socket.sendall(frames)

    def receive(self, size):
        while size > 0:
            got = self.socket.recv(min(size, 65536))
            if not got:
                raise ConnectionError("closed")
            size -= len(got)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
