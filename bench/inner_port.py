"""A GatewayClient as far as measuring needs one: commands and questions to the inner port of one gateway (docs/wire-protocol.md)."""
import json
import re
import socket
import struct

SEND_TO_GROUP, BIND_UID, JOIN_GROUP, LEAVE_GROUP, SET_SESSION = 22, 12, 20, 21, 204
ALL_SESSIONS, IDS_OF_UID, SESSIONS_OF_GROUP, COUNT, IS_ONLINE = 10, 15, 23, 24, 11
CONNECT = 202


def frame(command, connection_id=0, ext=b"", body=b""):
    scalar = 1
    return struct.pack(">IBIHIHIBHI", 28 + len(ext) + len(body), command, 0, 0, 0, 0, connection_id, scalar, 0, len(ext)) + ext + body


def group_target(name):
    return json.dumps({"group": [name], "exclude": None}).encode()


class InnerPort:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.sendall(frame(CONNECT, body=b'{"secret_key":""}'))

    def ask(self, command, connection_id=0, ext=b""):
        """The answer, which is a PHP-serialized value; all commands before have been carried out by then."""
        return self.tell(frame(command, connection_id, ext))

    def tell(self, frames):
        """Sends frames, the last of them a question."""
        self.socket.sendall(frames)
        (size,) = struct.unpack(">I", self._receive(4))
        return self._receive(size)

    def do(self, frames):
        """Commands, carried out when this returns."""
        self.tell(frames + frame(IS_ONLINE))

    def ids(self):
        """The connection ids of all clients; they must not have sessions yet."""
        return [int(each) for each in re.findall(rb'i:(\d+);s:0:"";', self.ask(ALL_SESSIONS))]

    def count(self):
        return int(self.ask(COUNT)[2:-1])

    def _receive(self, size):
        parts = []
        while size > 0:
            parts.append(self.socket.recv(min(size, 1 << 20)))
            if not parts[-1]:
                raise ConnectionError("the gateway has closed its inner port")
            size -= len(parts[-1])
        return b"".join(parts)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
