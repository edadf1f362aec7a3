"""Autobahn's classes 12 and 13: permessage-deflate with all kinds of data and parameters. And our own: G12 its rules, G13 its offers, G14 its contexts."""
import base64
import json
import random
import zlib

from case import Failure, check, close, finish, fragments, frame, read_to_end
from client import Client, Refused
from frames import BINARY, CONTINUATION, PING, RSV1, RSV2, TEXT, Deflate

K, M = 1024, 1024 * 1024
# Autobahn's eighteen: bytes of a message, bytes of a fragment (0: not fragmented).
SIZES = [(16, 0), (64, 0), (256, 0), (1 * K, 0), (4 * K, 0), (8 * K, 0), (16 * K, 0), (32 * K, 0), (64 * K, 0), (128 * K, 0), (8 * K, 256),
         (16 * K, 256), (32 * K, 256), (64 * K, 256), (128 * K, 256), (128 * K, 1024), (128 * K, 4096), (128 * K, 32768)]
OFFERS = [
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=9; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=15; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=15; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits, "
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=15; client_max_window_bits, "
    "permessage-deflate; client_max_window_bits",
]
WORDS = ("habe nun ach philosophie juristerei und medizin und leider auch theologie durchaus studiert mit heißem bemühn da steh ich nun ich "
         "armer tor und bin so klug als wie zuvor").split()


def corpora():
    """(kind, opcode, 256 KB): the five kinds of data, made here and always the same."""
    pick = random.Random(7692)
    rows = [{"id": i, "user": pick.choice(WORDS), "at": 1700000000 + pick.randrange(10**6), "text": " ".join(pick.choices(WORDS, k=8))} for i in range(1700)]
    numbers = pick.randbytes(4096)
    picture = bytearray()
    for y in range(512):
        picture += bytes((x * y // 512 + numbers[(x * 7 + y) % 4096] % 24) & 255 for x in range(512))
    prose = " ".join(pick.choices(WORDS, k=60000))
    page = "".join(f'<li class="item-{i % 7}"><a href="/page/{pick.randrange(9999)}">{pick.choice(WORDS)}</a></li>\n' for i in range(6000))
    packed = b"%PDF-1.4\n" + b"".join(b"%d 0 obj\nstream\n" % i + pick.randbytes(2000) + b"\nendstream\n" for i in range(140))
    return [("JSON", TEXT, json.dumps(rows).encode()), ("bitmap", BINARY, bytes(picture)), ("prose", TEXT, prose.encode()),
            ("HTML", TEXT, page.encode()), ("packed document", BINARY, packed)]


def cut_text(data, start, size):
    """`size` bytes of text: what is cut of a character at the ends is replaced."""
    return data[start:start + size].decode("utf-8", "ignore").encode().ljust(size, b".")


def exchange(client, opcode, data, size, fragment, count):
    """Messages there and back, compressed by the client; the answer's form is the server's choice."""
    if client.deflate is None:
        raise Failure("permessage-deflate was not agreed on; is it switched on?")
    compressed = 0
    for number in range(count):
        start = (number * 7919) % (len(data) - size)
        payload = cut_text(data, start, size) if opcode == TEXT else data[start:start + size]
        packed = client.deflate.compress(payload)
        wires = fragments(opcode, packed, fragment, rsv=RSV1) if fragment else [frame(opcode, packed, rsv=RSV1)]
        client.send(b"".join(wires))
        check(client.next(), ("text", payload.decode()) if opcode == TEXT else ("binary", payload))
        compressed += client.was_compressed
    if size >= 4096 and compressed == 0 and opcode == TEXT:
        raise Failure(f"none of {count} text messages of {size} bytes came back compressed")
    finish(client)


def cases(full):
    """(id, title, offer, function of a connected client)"""
    kinds = corpora()
    for group, (kind, opcode, data) in enumerate(kinds, 1):
        for number, (size, fragment) in enumerate(SIZES, 1):
            count = 1000 if full else 12 if size <= 8 * K else 4
            yield (f"12.{group}.{number}", f"{kind}, {count} messages of {size} bytes, fragments of {fragment or 'all'}", OFFERS[0],
                   lambda client, o=opcode, d=data, s=size, f=fragment, c=count: exchange(client, o, d, s, f, c))
    _, opcode, data = kinds[0]
    for group, offer in enumerate(OFFERS, 1):
        for number, (size, fragment) in enumerate(SIZES, 1):
            count = 1000 if full else 8 if size <= 8 * K else 3
            yield (f"13.{group}.{number}", f"{count} messages of {size} bytes, fragments of {fragment or 'all'}, {offer}", offer,
                   lambda client, s=size, f=fragment, c=count: exchange(client, opcode, data, s, f, c))


# --- our own: the rules (RFC 7692, sections 6 and 7)

HELLO = b"Hello"
HELLO_PACKED = bytes.fromhex("f248cdc9c90700")  # 7.2.3.1, without the tail
PLAIN = "permessage-deflate"


def fails(*wires, codes):
    def run(client):
        client.send(b"".join(wires))
        events = read_to_end(client)
        if not events or events[-1][0] != "close" or events[-1][1] not in codes:
            raise Failure(f"{str(events)[:200]} instead of a close frame with {codes}")
        if any(event[0] in ("text", "binary") for event in events):
            raise Failure(f"a message came of it: {str(events)[:200]}")
    return run


def answers(*wires, expected):
    def run(client):
        client.send(b"".join(wires))
        for each in expected:
            check(client.next(), each)
        finish(client)
    return run


def keeping(server_keeps, client_keeps):
    """Contexts are kept as it was agreed, each direction for itself: what repeats an earlier message is small then, and only then."""
    def run(client):
        if (client.deflate.server_keeps, client.deflate.client_keeps) != (server_keeps, client_keeps):
            raise Failure(f"agreed on {client.extensions}")
        payload = base64.b64encode(random.Random(7692).randbytes(3000))
        theirs, ours = [], []
        for _ in range(3):
            packed = client.deflate.compress(payload)
            client.send(frame(TEXT, packed, rsv=RSV1))
            check(client.next(), ("text", payload.decode()))
            theirs.append(client.last_size)
            ours.append(len(packed))
        for who, sizes, keeps in (("the server", theirs, server_keeps), ("the client", ours, client_keeps)):
            if (max(sizes[1:]) < sizes[0] // 10) != keeps:
                raise Failure(f"{who} sent the same message in {sizes} bytes, with {client.extensions}")
        finish(client)
    return run


def contexts(server_can_keep):
    """(id, title, offer, function of a connected client): all four ways to keep or not to keep contexts."""
    offers = [(True, True, ""), (False, True, "; server_no_context_takeover"), (True, False, "; client_no_context_takeover"),
              (False, False, "; server_no_context_takeover; client_no_context_takeover")]
    for number, (server, client, parameters) in enumerate(offers, 1):
        server, client = server and server_can_keep, client and server_can_keep
        yield (f"G14.{number}", f"the server keeps its context: {server}, the client: {client}", PLAIN + parameters,
               keeping(server, client))


def zeros(size):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = bytes(M)
    packed = b"".join(packer.compress(chunk) for _ in range(size // M))
    return (packed + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def own(max_message):
    hello = ("text", "Hello")
    packed = frame(TEXT, HELLO_PACKED, rsv=RSV1)
    two = Deflate(client_keeps=False)
    bad_text = two.compress(b"ok \xed\xa0\x80")
    final = zlib.compressobj(6, zlib.DEFLATED, -15)
    final_block = final.compress(HELLO) + final.flush(zlib.Z_FINISH) + b"\x00"
    runs = [
        ("a compressed Hello (RFC 7692, 7.2.3.1)", answers(packed, expected=[hello])),
        ("in two fragments, the second without RSV1", answers(*fragments(TEXT, HELLO_PACKED, 3, rsv=RSV1), expected=[hello])),
        ("in fragments of one byte with a ping between", answers(
            *fragments(TEXT, HELLO_PACKED, 1, rsv=RSV1)[:3], frame(PING, "p"), *fragments(TEXT, HELLO_PACKED, 1, rsv=RSV1)[3:],
            expected=[("pong", b"p"), hello])),
        ("a plain message between compressed ones", answers(packed, frame(TEXT, "plain"), packed, expected=[hello, ("text", "plain"), hello])),
        ("without compression (7.2.3.3)", answers(frame(TEXT, bytes.fromhex("000500faff48656c6c6f00"), rsv=RSV1), expected=[hello])),
        ("a block with BFINAL (7.2.3.4)", answers(frame(TEXT, bytes.fromhex("f348cdc9c9070000"), rsv=RSV1), expected=[hello])),
        ("two blocks (7.2.3.5)", answers(frame(TEXT, bytes.fromhex("f248050000" "00ffffcac9c90700"), rsv=RSV1), expected=[hello])),
        ("the end of the stream, then a byte more", answers(frame(TEXT, final_block, rsv=RSV1), expected=[hello])),
        ("an empty message, as one byte 0 (7.2.3.6)", answers(frame(TEXT, b"\0", rsv=RSV1), expected=[("text", "")])),
        ("RSV1 on a continuation", fails(frame(TEXT, HELLO_PACKED[:3], fin=False, rsv=RSV1), frame(CONTINUATION, HELLO_PACKED[3:], rsv=RSV1),
                                         codes=(1002,))),
        ("RSV1 on the continuation of a plain message", fails(frame(TEXT, "a", fin=False), frame(CONTINUATION, "b", rsv=RSV1), codes=(1002,))),
        ("RSV1 on a ping", fails(frame(PING, "x", rsv=RSV1), codes=(1002,))),
        ("RSV2 beside RSV1", fails(frame(TEXT, HELLO_PACKED, rsv=RSV1 | RSV2), codes=(1002,))),
        ("what is not deflate", fails(frame(TEXT, b"\xff" * 40, rsv=RSV1), codes=(1002, 1007))),
        ("a distance before the beginning", fails(frame(BINARY, bytes.fromhex("02130000"), rsv=RSV1), codes=(1002, 1007))),
        ("compressed text that is not UTF-8", fails(frame(TEXT, bad_text, rsv=RSV1), codes=(1007,))),
        ("close in the middle of a compressed message", answers(frame(TEXT, HELLO_PACKED[:3], fin=False, rsv=RSV1), expected=[])),
        (f"one byte over the limit of {max_message} when inflated", fails(
            frame(BINARY, zeros(max_message - max_message % M) if max_message % M else two.compress(bytes(max_message + 1)), rsv=RSV1),
            codes=(1009,))),
        (f"just the limit of {max_message} when inflated", answers(frame(BINARY, two.compress(bytes(max_message)), rsv=RSV1),
                                                                  expected=[("binary", bytes(max_message))])),
        ("a bomb: 1 MB that inflates to 1 GB", fails(frame(BINARY, zeros(1024 * M), rsv=RSV1), codes=(1009,))),
    ]
    for number, (title, run) in enumerate(runs, 1):
        yield f"G12.{number}", title, PLAIN, run


# (offer, what may become of it): "yes", "no" (the handshake goes on without), 400, or a set of these where the RFC leaves the choice.
OFFER_RULES = [
    ("permessage-deflate", {"yes"}),
    ("permessage-deflate; client_max_window_bits", {"yes"}),
    ("permessage-deflate; client_max_window_bits=15", {"yes"}),
    ('permessage-deflate; client_max_window_bits="10"', {"yes"}),
    ("permessage-deflate; client_max_window_bits=8", {"yes"}),
    ("permessage-deflate; server_max_window_bits=9", {"yes"}),
    ("permessage-deflate; server_max_window_bits=15", {"yes"}),
    ("permessage-deflate; server_max_window_bits=8", {"yes", "no", 400}),  # zlib cannot; RFC 7692, 7.1.2.1 lets a server decline
    ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", {"yes"}),
    ("permessage-deflate; server_max_window_bits=7", {"no", 400}),
    ("permessage-deflate; server_max_window_bits=16", {"no", 400}),
    ("permessage-deflate; server_max_window_bits=015", {"no", 400}),
    ("permessage-deflate; server_max_window_bits", {"no", 400}),
    ("permessage-deflate; server_max_window_bits=", {"no", 400}),
    ("permessage-deflate; client_max_window_bits=7", {"no", 400}),
    ("permessage-deflate; client_max_window_bits=16", {"no", 400}),
    ("permessage-deflate; server_no_context_takeover=1", {"no", 400}),
    ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", {"no", 400}),
    ("permessage-deflate; client_max_window_bits; client_max_window_bits=10", {"no", 400}),
    ("permessage-deflate; what_is_this", {"no", 400}),
    ("permessage-deflate; server_max_window_bits=7, permessage-deflate", {"yes", 400}),
    ("x-webkit-deflate-frame", {"no"}),
    ("x-webkit-deflate-frame, permessage-deflate", {"yes"}),
    ("permessage-deflate;", {400}),
    ("permessage-deflate; =10", {400}),
    ("permessage deflate", {400}),
    (", ,permessage-deflate", {"yes", 400}),
]


def offers(only_malformed=False):
    """(id, title, function of an address). `only_malformed`: those that every server must refuse, also one without extensions."""
    for number, (offer, allowed) in enumerate(OFFER_RULES, 1):
        if only_malformed and allowed != {400}:
            continue

        def play(address, offer=offer, allowed=allowed):
            try:
                with Client(address, offer) as client:
                    became = "no" if client.deflate is None else "yes"
                    if became in allowed:
                        wire = frame(TEXT, client.deflate.compress(b"Hello " * 40), rsv=RSV1) if client.deflate else frame(TEXT, "Hello " * 40)
                        client.send(wire)
                        check(client.next(), ("text", "Hello " * 40))
                        finish(client)
            except Refused as refused:
                became = refused.status
            if became not in allowed:
                raise Failure(f"it became {became}, of {allowed}")
        yield f"G13.{number}", f"offer {offer!r}", play


__all__ = ["cases", "close", "contexts", "offers", "own"]
