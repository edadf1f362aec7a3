"""Honest clients of a soak that run in a network namespace of their own, until standard input ends.

    far_clients.py steady HOST PORT CLIENTS PER_SECOND    says and checks as steady_load.py; prints its figures as JSON
    far_clients.py half-open HOST PORT CLIENTS            connects and speaks once, says "ready", and is to be cut off and killed
"""
import json
import sys

from steady_load import Client, SteadyLoad, frame


def steady(host, port, clients, per_second):
    load = SteadyLoad(port, clients, per_second, exactly_once=False, host=host)
    print("ready", flush=True)
    sys.stdin.read()
    mistakes = load.finish()
    print(json.dumps({"said": load.said, "answered": load.answered, "mistakes": mistakes, "slowest_ms": round(load.slowest * 1000)}))


def half_open(host, port, clients):
    kept = [Client(host, port) for _ in range(clients)]
    for client in kept:
        client.socket.send(frame(b"hello"))
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1] == "steady":
        steady(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
    else:
        half_open(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
