"""What a case is, and how it is played: whole, frame by frame, cut in two at every interesting byte, byte by byte."""
import dataclasses

from client import Client
from frames import CONTINUATION, TEXT, close, fragments, frame, header_size

BYTEWISE_LIMIT = 400  # bytes of a case that are also sent one by one


class Failure(Exception):
    """The server did something else than the case wants."""


@dataclasses.dataclass
class Step:
    """Bytes, and what the server must answer to them. `fails` holds the close codes with which it must end the connection."""
    wire: bytes
    answers: tuple = ()
    fails: frozenset = frozenset()


@dataclasses.dataclass
class Case:
    """`id` is Autobahn's number, or begins with "G" for one of our own. `closes` says which close code (None: an empty frame) must come
    back to the close frame in the steps; when nothing fails and nothing closes, the client closes with 1000 at the end."""
    id: str
    title: str
    steps: list
    closes: tuple = ()
    answers_may_miss: bool = False  # the client closes with its answers on their way
    fails_late: frozenset = frozenset()  # codes of a server that checks UTF-8 only at a message's end

    @property
    def wire(self):
        return b"".join(step.wire for step in self.steps)

    @property
    def fails(self):
        return next((step.fails for step in self.steps if step.fails), frozenset())

    def expected(self):
        out = []
        for step in self.steps:
            out += step.answers
            if step.fails:
                break
        return out


def good(*frames, answers, id, title, **more):
    """A case without a fault: one step for each frame, all answers with the last one."""
    steps = [Step(wire) for wire in frames]
    steps[-1].answers = tuple(answers)
    return Case(id, title, steps, **more)


def bad(*frames, id, title, code=1002, answers=(), after=b"", **more):
    """A case whose last frame is at fault. `answers` belong to the frame before it; `after` must go unread."""
    steps = [Step(wire) for wire in frames]
    if answers:
        steps[-2].answers = tuple(answers)
    steps[-1].fails = frozenset([code])
    if after:
        steps.append(Step(after))
    return Case(id, title, steps, **more)


def expect_end(client):
    event = client.next()
    if event != ("end",):
        raise Failure(f"after its close frame the server sent {event}")


def finish(client):
    """The client closes, as it should be done."""
    client.send(close(1000, "done"))
    event = client.next()
    if event[:2] != ("close", 1000):
        raise Failure(f"{event} instead of the close frame that was to come back")
    expect_end(client)


def check(event, expected):
    if event != expected:
        raise Failure(f"{str(event)[:200]} came, {str(expected)[:200]} was expected")


def read_to_end(client):
    events = []
    while True:
        event = client.next()
        if event == ("end",):
            return events
        events.append(event)


def check_failing(case, codes, events):
    """The close frame is last, and every answer comes before it, to pings and to messages, each kind in its order."""
    if not events or events[-1][0] != "close":
        raise Failure(f"no close frame: {str(events)[:200]}")
    if events[-1][1] not in codes:
        raise Failure(f"close code {events[-1][1]} ({events[-1][2]}) instead of {sorted(codes)}")
    expected = case.expected()
    # Pongs come from another process than echoes.
    for pongs in (True, False):
        if [e for e in events[:-1] if (e[0] == "pong") == pongs] != [e for e in expected if (e[0] == "pong") == pongs]:
            raise Failure(f"{str(events)[:200]} came, of {str(expected)[:200]}")


def check_closing(case, events):
    if not events or events[-1][0] != "close" or events[-1][1] not in case.closes:
        raise Failure(f"{str(events)[:200]} instead of a close frame with {case.closes}")
    expected = case.expected()
    if case.answers_may_miss:
        if events[:-1] != expected[:len(events) - 1]:
            raise Failure(f"{str(events)[:200]} came, of {str(expected)[:200]}")
    elif events[:-1] != expected:
        raise Failure(f"{str(events)[:200]} came, {str(expected)[:200]} was expected")


def play_at_once(case, client, cuts=(), late=False):
    if case.closes and not case.answers_may_miss and case.expected():
        return play_by_steps(case, client, late)  # the answers must be waited for before the close frame
    client.drip(case.wire, cuts)
    if case.fails:
        return check_failing(case, case.fails_late or case.fails if late else case.fails, read_to_end(client))
    if case.closes:
        return check_closing(case, read_to_end(client))
    # Pongs come from another process than echoes, so each kind has its own order.
    expected = case.expected()
    came = [client.next() for _ in expected]
    for pongs in (True, False):
        check([e for e in came if (e[0] == "pong") == pongs], [e for e in expected if (e[0] == "pong") == pongs])
    finish(client)


def play_by_steps(case, client, late=False):
    for number, step in enumerate(case.steps):
        client.send(step.wire)
        for answer in step.answers:
            check(client.next(), answer)
        if step.fails:
            if late and case.fails_late:
                client.send(b"".join(rest.wire for rest in case.steps[number + 1:]))
                return check_failing(Case(case.id, case.title, []), case.fails_late, read_to_end(client))
            return check_failing(Case(case.id, case.title, []), step.fails, read_to_end(client))
    if case.closes:
        return check_closing(Case(case.id, case.title, [], case.closes), read_to_end(client))
    finish(client)


def interesting(case, everywhere):
    """Where to cut: every byte of each header, around it and in the middle of the payload; `everywhere`: at every byte."""
    if everywhere:
        return range(1, len(case.wire))
    cuts, start = set(), 0
    for step in case.steps:
        size = len(step.wire)
        head = min(header_size(step.wire), size) if size >= 2 else size
        cuts.update(start + at for at in [*range(1, head + 2), head + (size - head) // 2, size - 1, size])
        start += size
    return sorted(cut for cut in cuts if 0 < cut < start)


def plays(case, everywhere=False):
    """(name, function of a connected client and `late`) for every way of playing a case."""
    yield "whole", lambda client, late: play_at_once(case, client, (), late)
    yield "frame by frame", lambda client, late: play_by_steps(case, client, late)
    for cut in interesting(case, everywhere):
        yield f"cut at byte {cut}", lambda client, late, cut=cut: play_at_once(case, client, [cut], late)
    if len(case.wire) <= BYTEWISE_LIMIT:
        yield "byte by byte", lambda client, late: play_at_once(case, client, range(1, len(case.wire)), late)


__all__ = ["BYTEWISE_LIMIT", "CONTINUATION", "TEXT", "Case", "Client", "Failure", "Step", "bad", "check", "close", "expect_end", "finish",
           "fragments", "frame", "good", "plays"]
