"""WebSocket frames as bytes, written and read as RFC 6455 and RFC 7692 draw them."""
import random
import struct
import zlib

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
RSV1, RSV2, RSV3 = 4, 2, 1

_masks = random.Random(6455)


def xor(payload, mask):
    """Masks or unmasks, as one operation on one big number: quick also for megabytes."""
    if not payload:
        return b""
    repeated = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(repeated, "little")).to_bytes(len(payload), "little")


def frame(opcode, payload=b"", fin=True, rsv=0, mask=None, length_form=None, masked=True):
    """One frame of a client. `length_form` 16 or 64 forces a longer length than needed; `mask` None is a random one."""
    if isinstance(payload, str):
        payload = payload.encode()
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    size = len(payload)
    form = length_form or (7 if size < 126 else 16 if size < 65536 else 64)
    head = bytes([first])
    mask_bit = 0x80 if masked else 0
    if form == 7:
        head += bytes([mask_bit | size])
    elif form == 16:
        head += bytes([mask_bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([mask_bit | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    if mask is None:
        mask = _masks.randbytes(4)
    return head + mask + xor(payload, mask)


def fragments(opcode, payload, size, rsv=0):
    """A message in frames of `size` bytes."""
    pieces = [payload[at:at + size] for at in range(0, len(payload), size)] or [b""]
    last = len(pieces) - 1
    return [frame(CONTINUATION if i else opcode, piece, fin=i == last, rsv=0 if i else rsv) for i, piece in enumerate(pieces)]


def close(code=None, reason=b""):
    if isinstance(reason, str):
        reason = reason.encode()
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


def header_size(wire):
    """Of the frame at the start of `wire`, with its mask."""
    length = wire[1] & 0x7F
    return 2 + (2 if length == 126 else 8 if length == 127 else 0) + (4 if wire[1] & 0x80 else 0)


class Frame:
    """A frame that came from the server."""

    def __init__(self, fin, rsv, opcode, payload):
        self.fin, self.rsv, self.opcode, self.payload = fin, rsv, opcode, payload


class BrokenByServer(Exception):
    """The server sent what no server may send."""


def parse(buffer):
    """Takes one frame from the start of a bytearray; None while it is not whole."""
    if len(buffer) < 2:
        return None
    if buffer[1] & 0x80:
        raise BrokenByServer("a masked frame")
    length = buffer[1] & 0x7F
    at = 2
    if length == 126:
        if len(buffer) < 4:
            return None
        length, at = struct.unpack_from(">H", buffer, 2)[0], 4
        if length < 126:
            raise BrokenByServer("a length not in its shortest form")
    elif length == 127:
        if len(buffer) < 10:
            return None
        length, at = struct.unpack_from(">Q", buffer, 2)[0], 10
        if length < 65536:
            raise BrokenByServer("a length not in its shortest form")
    if len(buffer) < at + length:
        return None
    got = Frame(bool(buffer[0] & 0x80), buffer[0] >> 4 & 7, buffer[0] & 15, bytes(buffer[at:at + length]))
    del buffer[:at + length]
    if got.opcode >= 8 and (not got.fin or length > 125 or got.rsv):
        raise BrokenByServer("a control frame that is fragmented, long or marked")
    return got


class Deflate:
    """One end of permessage-deflate: this client's."""
    TAIL = b"\x00\x00\xff\xff"

    def __init__(self, client_bits=15, server_bits=15, client_keeps=True, server_keeps=True, level=6):
        self.client_bits, self.server_bits, self.level = client_bits, server_bits, level
        self.client_keeps, self.server_keeps = client_keeps, server_keeps
        self._out = self._in = None

    def compress(self, payload):
        if self._out is None:
            # zlib has no raw window of 8 bits; messages of up to 256 bytes look no further back all the same.
            self._out = zlib.compressobj(self.level, zlib.DEFLATED, -max(self.client_bits, 9))
        compressed = self._out.compress(payload) + self._out.flush(zlib.Z_SYNC_FLUSH)
        if not self.client_keeps:
            self._out = None
        assert compressed.endswith(self.TAIL)
        return compressed[:-4]

    def inflate(self, payload):
        if self._in is None:
            self._in = zlib.decompressobj(-self.server_bits)
        whole = self._in.decompress(payload + self.TAIL)
        if self._in.eof or not self.server_keeps:
            self._in = None
        return whole
