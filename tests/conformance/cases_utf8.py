"""Autobahn's class 6: text is UTF-8, also when it comes in fragments, and what is not is refused at its first wrong byte."""
from case import Case, Step, frame, good
from frames import CONTINUATION, TEXT

KOSME = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"  # the Greek word, its second letter in three bytes
FAIL = frozenset([1007])


def text(id, title, payload, valid):
    if valid:
        return good(frame(TEXT, payload), answers=[("text", payload.decode())], id=id, title=title)
    return Case(id, title, [Step(frame(TEXT, payload), fails=FAIL)])


def in_fragments(id, title, pieces):
    frames = [frame(CONTINUATION if i else TEXT, piece, fin=i == len(pieces) - 1) for i, piece in enumerate(pieces)]
    return good(*frames, answers=[("text", b"".join(pieces).decode())], id=id, title=title)


def single(payload):
    return [payload[at:at + 1] for at in range(len(payload))]


def fragmented():
    yield good(frame(TEXT), answers=[("text", "")], id="6.1.1", title="empty text")
    yield in_fragments("6.1.2", "three empty fragments", [b"", b"", b""])
    yield in_fragments("6.1.3", "an empty, a full and an empty fragment", [b"", b"middle frame payload", b""])
    long = "Hello-µ@ßöäüàá-UTF-8!!".encode()
    yield text("6.2.1", "valid text", long, True)
    yield in_fragments("6.2.2", "valid text in two fragments at a character's boundary", ["Hello-µ@ßöä".encode(), "üàá-UTF-8!!".encode()])
    yield in_fragments("6.2.3", "valid text in fragments of one byte", single(long))
    yield in_fragments("6.2.4", "kosme in fragments of one byte", single(KOSME))
    wrong = KOSME + b"\xed\xa0\x80edited"
    yield text("6.3.1", "a surrogate in a text", wrong, False)
    # A surrogate shows with its second byte.
    frames = [frame(CONTINUATION if i else TEXT, piece, fin=i == len(wrong) - 1) for i, piece in enumerate(single(wrong))]
    at = len(KOSME) + 1
    steps = [Step(wire) for wire in frames]
    steps[at].fails = FAIL
    yield Case("6.3.2", "a surrogate in fragments of one byte", steps, fails_late=FAIL)


def fail_fast():
    """U+110000 at the end of a good part: f4 may begin a character, f4 90 may not. What comes then must be refused before more is sent."""
    # The good part, what makes the whole wrong, the rest. The second and fourth case send only the one byte that does.
    whole, one_byte = (KOSME, b"\xf4\x90\x80\x80", b"edited"), (KOSME + b"\xf4", b"\x90", b"\x80\x80edited")
    for number, parts, what in ((1, whole, "whole"), (2, one_byte, "and only its second byte")):
        start, wrong, rest = [frame(CONTINUATION if i else TEXT, part, fin=i == 2) for i, part in enumerate(parts)]
        yield Case(f"6.4.{number}", f"fragments with U+110000, {what}", [Step(start), Step(wrong, fails=FAIL), Step(rest)], fails_late=FAIL)
    for number, parts, what in ((3, whole, "whole"), (4, one_byte, "and only its second byte")):
        wire = frame(TEXT, b"".join(parts))
        at = len(wire) - len(parts[1]) - len(parts[2])
        yield Case(f"6.4.{number}", f"one frame with U+110000, {what}, its end held back",
                   [Step(wire[:at]), Step(wire[at:at + len(parts[1])], fails=FAIL), Step(wire[at + len(parts[1]):])], fails_late=FAIL)


GROUPS = [
    (5, "valid text", True, [KOSME, b"hello\x24world", b"hello\xc2\xa2world", b"hello\xe2\x82\xacworld", b"hello\xf0\xa4\xad\xa2world"]),
    (7, "first character of each length", True, [b"\0", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"]),
    (8, "first of five and six bytes", False, [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"]),
    (9, "last character of each length", True, [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"]),
    (10, "last of four, five and six bytes", False, [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"]),
    (11, "boundaries", True, [b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"]),
    (12, "unexpected continuations", False, [b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80", b"\x80\xbf\x80\xbf", b"\x80\xbf\x80\xbf\x80",
                                             b"\x80\xbf\x80\xbf\x80\xbf", bytes(range(0x80, 0xbf))]),
    (13, "lonely first bytes", False, [b"".join(bytes([c, 0x20]) for c in each)
                                       for each in (range(0xc0, 0xe0), range(0xe0, 0xf0), range(0xf0, 0xf8), range(0xf8, 0xfc), range(0xfc, 0xfe))]),
    (14, "the last byte is missing", False, [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80", b"\xdf",
                                             b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"]),
    (15, "incomplete ones, one behind the other", False, [b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf"
                                                          b"\xfb\xbf\xbf\xbf\xfd\xbf\xbf\xbf\xbf"]),
    (16, "impossible bytes", False, [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]),
    (17, "overlong slash", False, [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"]),
    (18, "greatest overlong", False, [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"]),
    (19, "overlong NUL", False, [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"]),
    (20, "single surrogates", False, [b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbe\x80",
                                      b"\xed\xbf\xbf"]),
    (21, "paired surrogates", False, [high + low for high in (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf")
                                      for low in (b"\xed\xb0\x80", b"\xed\xbf\xbf")]),
    (22, "noncharacters", True, [chr(plane << 16 | low).encode() for plane in range(17) for low in (0xfffe, 0xffff)]),
    (23, "specials", True, [chr(code).encode() for code in range(0xfff9, 0x10000)]),
]


def cases():
    yield from fragmented()
    yield from fail_fast()
    for number in range(1, len(KOSME) + 1):
        prefix = KOSME[:number]
        yield text(f"6.6.{number}", f"the first {number} bytes of kosme", prefix, prefix.decode("utf-8", "ignore").encode() == prefix)
    for group, title, valid, payloads in GROUPS:
        for number, payload in enumerate(payloads, 1):
            yield text(f"6.{group}.{number}", title, payload, valid and payload != b"\xf4\x90\x80\x80")
