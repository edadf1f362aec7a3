"""Autobahn's class 7: the closing handshake, its codes and reasons. And our own G7."""
from case import Case, Step, bad, close, frame
from frames import CLOSE, CONTINUATION, PING, TEXT

HELLO = "Hello World!"
ECHO = ("text", HELLO)


def closing(id, title, *before, wire=None, code=1000, after=b"", **more):
    steps = [*before, Step((close(1000) if wire is None else wire) + after)]
    return Case(id, title, steps, closes=(code,), **more)


def handshakes():
    yield closing("7.1.1", "a message, then close", Step(frame(TEXT, HELLO), (ECHO,)))
    yield closing("7.1.2", "two close frames", after=close(1000))
    yield closing("7.1.3", "a ping behind the close frame", after=frame(PING))
    yield closing("7.1.4", "a text behind the close frame", after=frame(TEXT, HELLO))
    yield closing("7.1.5", "close in the middle of a message", Step(frame(TEXT, "fragment1", fin=False)),
                  after=frame(CONTINUATION, "fragment2"))
    yield closing("7.1.6", "256 KB, a text, close and a ping at once", Step(frame(TEXT, "BAsd7&jh23" * 26214), (("text", "BAsd7&jh23" * 26214),)),
                  Step(frame(TEXT, HELLO), (ECHO,)), after=frame(PING), answers_may_miss=True)


def payloads():
    yield closing("7.3.1", "close without payload", wire=close(), code=None)
    yield bad(frame(CLOSE, b"a"), id="7.3.2", title="close with one byte")
    yield closing("7.3.3", "close with a code", wire=close(1000))
    yield closing("7.3.4", "close with code and reason", wire=close(1000, HELLO))
    yield closing("7.3.5", "close with a reason of 123 bytes", wire=close(1000, "*" * 123))
    yield bad(close(1000, "*" * 124), id="7.3.6", title="close with a reason of 124 bytes")
    yield bad(close(1000, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"), id="7.5.1", title="a reason that is not UTF-8", code=1007)


def codes():
    for number, code in enumerate([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999], 1):
        yield closing(f"7.7.{number}", f"valid close code {code}", wire=close(code), code=code)
    for number, code in enumerate([0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999], 1):
        yield bad(close(code), id=f"7.9.{number}", title=f"invalid close code {code}")
    for number, code in enumerate([5000, 65535], 1):
        yield bad(close(code), id=f"7.13.{number}", title=f"close code {code}")


def own():
    yield closing("G7.1", "a fault behind the close frame is not read", after=frame(3, b"x"))
    yield bad(close(1015), id="G7.2", title="invalid close code 1015")
    yield closing("G7.3", "a reason in Chinese", wire=close(4321, "再见"), code=4321)
    yield bad(close(1000, "再见".encode()[:-1]), id="G7.4", title="a reason that ends inside a character", code=1007)


def cases():
    for group in (handshakes, payloads, codes, own):
        yield from group()
