"""Autobahn's classes 1 to 5: framing, pings and pongs, reserved bits, opcodes, fragmentation. And our own G1: what no client may send."""
from case import Case, Step, bad, fragments, frame, good
from frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

HELLO = "Hello, world!"
ECHO = ("text", HELLO)
NOT_TEXT = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"


def messages():
    sizes = [0, 125, 126, 127, 128, 65535, 65536, 65536]
    for number, size in enumerate(sizes, 1):
        text, data = "*" * size, b"\xfe" * size
        step = 997 if number == 8 else None  # 1.1.8 and 1.2.8 come in chops of 997 bytes
        for kind, opcode, payload, answer in ((1, TEXT, text.encode(), ("text", text)), (2, BINARY, data, ("binary", data))):
            wire = frame(opcode, payload)
            pieces = [wire[at:at + step] for at in range(0, len(wire), step)] if step else [wire]
            yield good(*pieces, answers=[answer], id=f"1.{kind}.{number}", title=f"{answer[0]} message of {size} bytes")


def pings():
    yield good(frame(PING), answers=[("pong", b"")], id="2.1", title="ping without payload")
    yield good(frame(PING, HELLO), answers=[("pong", HELLO.encode())], id="2.2", title="ping with text")
    yield good(frame(PING, NOT_TEXT), answers=[("pong", NOT_TEXT)], id="2.3", title="ping with bytes")
    yield good(frame(PING, b"\xfe" * 125), answers=[("pong", b"\xfe" * 125)], id="2.4", title="ping of 125 bytes")
    yield bad(frame(PING, b"\xfe" * 126), id="2.5", title="ping of 126 bytes")
    wire = frame(PING, b"\xfe" * 125)
    yield good(*[wire[at:at + 1] for at in range(len(wire))], answers=[("pong", b"\xfe" * 125)], id="2.6", title="ping in single bytes")
    yield good(frame(PONG), answers=[], id="2.7", title="unsolicited pong")
    yield good(frame(PONG, "unsolicited pong payload"), answers=[], id="2.8", title="unsolicited pong with payload")
    yield good(frame(PONG, "unsolicited pong payload"), frame(PING, "ping payload"), answers=[("pong", b"ping payload")], id="2.9",
               title="unsolicited pong, then a ping")
    many = [frame(PING, f"payload-{i}") for i in range(10)]
    pongs = [("pong", f"payload-{i}".encode()) for i in range(10)]
    yield Case("2.10", "ten pings", [Step(wire, (pong,)) for wire, pong in zip(many, pongs)])
    wire = b"".join(many)
    yield good(*[wire[at:at + 1] for at in range(len(wire))], answers=pongs, id="2.11", title="ten pings in single bytes")


def bytewise(*steps):
    """Each step in single bytes; answers and faults stay with the last byte of theirs."""
    out = []
    for step in steps:
        out += [Step(step.wire[at:at + 1]) for at in range(len(step.wire) - 1)]
        out.append(Step(step.wire[-1:], step.answers, step.fails))
    return out


FAIL = frozenset([1002])


def after_text(id, title, wrong, single_bytes=False):
    """A text message, a frame at fault, a ping that must go unanswered. In single bytes, the fault must show with the first two of its frame."""
    text = Step(frame(TEXT, HELLO), (ECHO,))
    if single_bytes:
        return Case(id, title, bytewise(text) + [Step(wrong[:1]), Step(wrong[1:2], fails=FAIL), Step(wrong[2:] + frame(PING))])
    return Case(id, title, [text, Step(wrong, fails=FAIL), Step(frame(PING))])


def reserved_bits():
    yield bad(frame(TEXT, HELLO, rsv=1), id="3.1", title="text with reserved bits 1")
    yield after_text("3.2", "reserved bits 2 behind a good message", frame(TEXT, HELLO, rsv=2))
    yield after_text("3.3", "reserved bits 3 behind a good message", frame(TEXT, HELLO, rsv=3))
    yield after_text("3.4", "reserved bits 4 behind a good message, in single bytes", frame(TEXT, HELLO, rsv=4), single_bytes=True)
    yield bad(frame(BINARY, NOT_TEXT, rsv=5), id="3.5", title="binary with reserved bits 5")
    yield bad(frame(PING, HELLO, rsv=6), id="3.6", title="ping with reserved bits 6")
    yield bad(frame(CLOSE, b"\x03\xe8", rsv=7), id="3.7", title="close with reserved bits 7")


def opcodes():
    for group, first in ((1, 3), (2, 11)):
        for number, opcode in enumerate(range(first, first + 5), 1):
            id, title = f"4.{group}.{number}", f"opcode {opcode}"
            wrong = frame(opcode, HELLO if number in (2, 4) else b"")
            if number <= 2:
                yield bad(wrong, id=id, title=title, after=frame(PING))
            else:
                yield after_text(id, title + " behind a good message", wrong, single_bytes=number == 5)


def fragmentation():
    first, second = frame(TEXT, "fragment1", fin=False), frame(CONTINUATION, "fragment2")
    whole, ping, pong = ("text", "fragment1fragment2"), frame(PING, "ping payload"), ("pong", b"ping payload")
    yield bad(frame(PING, "fragment1", fin=False), id="5.1", title="ping in two fragments", after=second)
    yield bad(frame(PONG, "fragment1", fin=False), id="5.2", title="pong in two fragments", after=second)
    two = [Step(first), Step(second, (whole,))]
    yield Case("5.3", "text in two fragments, at once", [Step(first + second, (whole,))])
    yield Case("5.4", "text in two fragments, frame by frame", two)
    yield Case("5.5", "text in two fragments, in single bytes", bytewise(*two))
    three = [Step(first), Step(ping, (pong,)), Step(second, (whole,))]
    yield Case("5.6", "a ping between two fragments, at once", [Step(first + ping + second, (pong, whole))])
    yield Case("5.7", "a ping between two fragments, frame by frame", three)
    yield Case("5.8", "a ping between two fragments, in single bytes", bytewise(*three))
    text = frame(TEXT, HELLO)
    for number, fin in ((9, True), (12, False)):
        title = f"continuation of nothing, FIN {int(fin)}, then text"
        lost = frame(CONTINUATION, "non-continuation payload", fin=fin)
        yield Case(f"5.{number}", title + ", at once", [Step(lost + text, fails=FAIL)])
        yield bad(lost, id=f"5.{number + 1}", title=title + ", frame by frame", after=text)
        yield Case(f"5.{number + 2}", title + ", in single bytes", [Step(lost[:1]), Step(lost[1:2], fails=FAIL), Step(lost[2:] + text)])
    lost = frame(CONTINUATION, "fragment3", fin=False)
    yield bad(first, second, lost, id="5.15", title="text in two fragments, continuation of nothing, text", answers=[whole],
              after=frame(TEXT, "fragment4"))
    for number, fin in ((16, False), (17, True)):
        again = [frame(CONTINUATION, "fragment1", fin=fin), frame(TEXT, "fragment2", fin=False), frame(CONTINUATION, "fragment3")] * 2
        yield bad(again[0], id=f"5.{number}", title=f"continuation of nothing, FIN {int(fin)}, then a good message, twice",
                  after=b"".join(again[1:]))
    yield bad(first, frame(TEXT, "fragment2"), id="5.18", title="two fragments that both say text")
    parts = [f"fragment{i}" for i in range(1, 6)]
    whole = ("text", "".join(parts))
    five = [Step(frame(TEXT, parts[0], fin=False)), Step(frame(CONTINUATION, parts[1], fin=False)), Step(frame(PING, "pongme 1!"), (("pong", b"pongme 1!"),)),
            Step(frame(CONTINUATION, parts[2], fin=False)), Step(frame(CONTINUATION, parts[3], fin=False)),
            Step(frame(PING, "pongme 2!"), (("pong", b"pongme 2!"),)), Step(frame(CONTINUATION, parts[4]), (whole,))]
    yield Case("5.19", "five fragments with two pings between them", five)
    yield Case("5.20", "five fragments with two pings between them, at once",
               [Step(b"".join(step.wire for step in five), (*five[2].answers, *five[5].answers, whole))])


def own():
    """Beyond Autobahn: lengths, masks, fragments of control frames and frames glued together."""
    yield bad(frame(TEXT, HELLO, masked=False), id="G1.1", title="unmasked text")
    yield bad(frame(PING, HELLO, masked=False), id="G1.2", title="unmasked ping")
    yield bad(frame(TEXT, HELLO), frame(CLOSE, b"\x03\xe8", masked=False), id="G1.3", title="unmasked close", answers=[ECHO])
    yield bad(frame(TEXT, "x" * 125, length_form=16), id="G1.4", title="125 bytes with a length of 16 bits")
    yield bad(frame(TEXT, "x" * 200, length_form=64), id="G1.5", title="200 bytes with a length of 64 bits")
    yield bad(frame(BINARY, b"x" * 65535, length_form=64), id="G1.6", title="65535 bytes with a length of 64 bits")
    for number, (length, code) in enumerate([(1 << 63, 1002), ((1 << 64) - 1, 1002), ((1 << 63) - 1, 1009), (1 << 62, 1009), (1 << 40, 1009)], 7):
        yield bad(b"\x82\xff" + length.to_bytes(8, "big"), id=f"G1.{number}", title=f"length {length:#x}", code=code)
    yield bad(frame(PING, "x", length_form=16), id="G1.12", title="a ping with a length of 16 bits")
    for number, mask in enumerate([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x00\x00\x00\x01"], 13):
        yield good(frame(TEXT, HELLO, mask=mask), answers=[ECHO], id=f"G1.{number}", title=f"mask {mask.hex()}")
    yield Case("G1.16", "a hundred messages of all small sizes in one piece",
               [Step(b"".join(frame(BINARY, bytes(range(i))) for i in range(140)), tuple(("binary", bytes(range(i))) for i in range(140)))])
    yield good(*fragments(BINARY, bytes(range(40)), 1), answers=[("binary", bytes(range(40)))], id="G1.17", title="40 fragments of one byte")
    yield good(frame(TEXT, b"", fin=False), *[frame(CONTINUATION, b"", fin=False)] * 20, frame(CONTINUATION, "x"), answers=[("text", "x")],
               id="G1.18", title="20 empty fragments before the only byte")
    yield bad(frame(BINARY, b"x", fin=False), frame(BINARY, b"y", fin=False), id="G1.19", title="a message inside another one")


def cases():
    for group in (messages, pings, reserved_bits, opcodes, fragmentation, own):
        yield from group()
