"""A WebSocket client on a raw socket, or over TLS: it sends any bytes in any pieces, and reads strictly."""
import base64
import hashlib
import os
import select
import socket
import ssl
import struct
import time
import typing

from frames import BINARY, CLOSE, CONTINUATION, PING, PONG, RSV1, TEXT, BrokenByServer, Deflate, parse

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PATIENCE_S = 20


class Address(typing.NamedTuple):
    host: str
    port: int
    tls: ssl.SSLContext | None = None

    def connect(self):
        connected = socket.create_connection((self.host, self.port), timeout=PATIENCE_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected if self.tls is None else self.tls.wrap_socket(connected, server_hostname=self.host)


class Refused(Exception):
    """The server answered the handshake with something else than 101."""

    def __init__(self, status, head):
        super().__init__(f"handshake answered with {status}")
        self.status, self.head = status, head


def parameters_of(extensions):
    """{"server_no_context_takeover": None, "server_max_window_bits": "10"} of the one extension that was accepted."""
    name, *parameters = [part.strip() for part in extensions.split(";")]
    if name != "permessage-deflate":
        raise BrokenByServer(f"the extension {name!r}, which nobody offered")
    out = {}
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() in out:
            raise BrokenByServer(f"{key.strip()} twice")
        out[key.strip()] = value.strip().strip('"') or None
    return out


class Client:
    """Events are ("text", str), ("binary", bytes), ("pong", bytes), ("ping", bytes), ("close", code or None, reason), ("end",)."""

    def __init__(self, address, offer=None, headers=(), path="/", glued=b""):
        self.socket = address.connect()
        self.buffer = bytearray()
        self.deflate = None
        self._message = None  # opcode, compressed, pieces
        try:
            self._shake_hands(address, offer, headers, path, glued)
        except BaseException:
            self.socket.close()
            raise

    def _shake_hands(self, address, offer, headers, path, glued):
        key = base64.b64encode(os.urandom(16))
        lines = [f"GET {path} HTTP/1.1", f"Host: {address.host}:{address.port}", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key.decode()}", *headers]
        if offer is not None:
            lines.append(f"Sec-WebSocket-Extensions: {offer}")
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + glued)
        while b"\r\n\r\n" not in self.buffer:
            if not self._receive():
                raise Refused(0, bytes(self.buffer).decode("latin-1"))
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer = bytearray(rest)
        status, *fields = head.decode("latin-1").split("\r\n")
        self.fields = {name.strip().lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        if not status.startswith("HTTP/1.1 101 "):
            raise Refused(int(status.split(" ")[1]), head.decode("latin-1"))
        expected = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        if self.fields.get("sec-websocket-accept") != expected:
            raise BrokenByServer("a wrong Sec-WebSocket-Accept")
        self.extensions = self.fields.get("sec-websocket-extensions")
        if self.extensions:
            if offer is None:
                raise BrokenByServer("an extension without an offer")
            self._accept(parameters_of(self.extensions))

    def _accept(self, parameters):
        known = {"server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits"}
        if not set(parameters) <= known:
            raise BrokenByServer(f"unknown parameters: {parameters}")
        self.deflate = Deflate(client_bits=int(parameters.get("client_max_window_bits") or 15),
                               server_bits=int(parameters.get("server_max_window_bits") or 15),
                               client_keeps="client_no_context_takeover" not in parameters,
                               server_keeps="server_no_context_takeover" not in parameters)

    def send(self, wire):
        """False when the server has gone."""
        try:
            self.socket.sendall(wire)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return False
        return True

    def _receive(self):
        try:
            chunk = self.socket.recv(262144)
        except ConnectionResetError:
            chunk = b""
        self.buffer += chunk
        return len(chunk)

    def is_quiet(self, seconds):
        """Whether nothing comes for so long."""
        if self.buffer or (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()):
            return False
        return not select.select([self.socket], [], [], seconds)[0]

    def next(self):
        """The next event; waits for it."""
        while True:
            got = parse(self.buffer)
            if got is None:
                if self._receive() == 0:
                    if self.buffer or self._message:
                        raise BrokenByServer("an end in the middle of a message")
                    return ("end",)
                continue
            if got.opcode == PING:
                return ("ping", got.payload)
            if got.opcode == PONG:
                return ("pong", got.payload)
            if got.opcode == CLOSE:
                if len(got.payload) == 1:
                    raise BrokenByServer("a close frame with half a code")
                if not got.payload:
                    return ("close", None, "")
                return ("close", struct.unpack(">H", got.payload[:2])[0], got.payload[2:].decode("utf-8"))
            event = self._data(got)
            if event is not None:
                return event

    def _data(self, got):
        if got.opcode not in (CONTINUATION, TEXT, BINARY) or (got.opcode == CONTINUATION) != (self._message is not None):
            raise BrokenByServer(f"opcode {got.opcode} out of its place")
        if got.rsv and (got.rsv != RSV1 or got.opcode == CONTINUATION or self.deflate is None):
            raise BrokenByServer(f"reserved bits {got.rsv}")
        if self._message is None:
            self._message = (got.opcode, bool(got.rsv), [])
        self._message[2].append(got.payload)
        if not got.fin:
            return None
        opcode, compressed, pieces = self._message
        self._message = None
        payload = b"".join(pieces)
        if compressed:
            payload = self.deflate.inflate(payload)
        self.was_compressed = compressed
        self.last_size = sum(map(len, pieces))  # on the wire
        return ("text", payload.decode("utf-8")) if opcode == TEXT else ("binary", payload)

    def drip(self, wire, cuts, pause_s=0.0004):
        """Sends `wire` cut at these places, with a pause at each for the server to read what it has."""
        at = 0
        for cut in sorted(set(cuts)):
            if not self.send(wire[at:cut]):
                return
            time.sleep(pause_s)
            at = cut
        self.send(wire[at:])

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
