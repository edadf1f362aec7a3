"""Autobahn's classes 9 and 10: big messages, whole, in fragments and in chops; many small ones; small pieces of one message."""
from case import Failure, check, finish, fragments, frame
from frames import BINARY, TEXT

K, M = 1024, 1024 * 1024


def echo(client, opcode, wires, payload):
    """Sends and reads; the server may answer only when it has all."""
    for wire in wires:
        if not client.send(wire):
            raise Failure(f"the server ended the connection: {client.next()}")
    check(client.next(), ("text", payload.decode()) if opcode == TEXT else ("binary", payload))


def payload_of(opcode, size):
    return b"*" * size if opcode == TEXT else bytes(range(256)) * (size // 256) + bytes(size % 256)


def whole(size):
    def run(client, opcode):
        payload = payload_of(opcode, size)
        echo(client, opcode, [frame(opcode, payload)], payload)
    return run


def in_fragments(size, piece):
    def run(client, opcode):
        payload = payload_of(opcode, size)
        # Small frames are joined for the kernel's sake; the server sees them one by one all the same.
        frames = fragments(opcode, payload, piece)
        per_write = max(1, 64 * K // piece)
        echo(client, opcode, [b"".join(frames[at:at + per_write]) for at in range(0, len(frames), per_write)], payload)
    return run


def in_chops(size, chop):
    def run(client, opcode):
        payload = payload_of(opcode, size)
        wire = frame(opcode, payload)
        echo(client, opcode, [wire[at:at + chop] for at in range(0, len(wire), chop)], payload)
    return run


def round_trips(count, size):
    def run(client, opcode):
        payload = payload_of(opcode, size)
        for _ in range(count):
            echo(client, opcode, [frame(opcode, payload)], payload)
    return run


def cases(full):
    """(id, title, function of a connected client). `full` is Autobahn's own sizes; without it they are cut down so that all takes seconds."""
    sizes = [64 * K, 256 * K, M, 4 * M, 8 * M, 16 * M]
    pieces = [64, 256, K, 4 * K, 16 * K, 64 * K, 256 * K, M, 4 * M]
    chops = [64, 128, 256, 512, K, 2 * K]
    small = [0, 16, 64, 256, K, 4 * K]
    fragmented = 4 * M if full else M
    chopped = M if full else 128 * K
    trips = 1000 if full else 100
    for kind, opcode in enumerate((TEXT, BINARY)):
        name = ("text", "binary")[kind]
        groups = [
            (1 + kind, [(whole(size if full else size // 4), f"{name} message of {size if full else size // 4} bytes") for size in sizes]),
            (3 + kind, [(in_fragments(fragmented, min(piece, fragmented)), f"{name} of {fragmented} bytes in fragments of {piece}") for piece in pieces]),
            (5 + kind, [(in_chops(chopped, chop), f"{name} of {chopped} bytes in chops of {chop}") for chop in chops]),
            (7 + kind, [(round_trips(trips, size), f"{trips} round trips of {name} of {size} bytes") for size in small]),
        ]
        for group, runs in groups:
            for number, (run, title) in enumerate(runs, 1):
                def play(client, run=run, opcode=opcode):
                    run(client, opcode)
                    finish(client)
                yield f"9.{group}.{number}", title, play

    def small_pieces(client):
        in_fragments(65536, 1300)(client, TEXT)
        finish(client)
    yield "10.1.1", "text of 65536 bytes in fragments of 1300", small_pieces
