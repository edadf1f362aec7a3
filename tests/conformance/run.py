#!/usr/bin/env python3
"""Plays every case against a WebSocket server that sends each message back as it came. See README.md beside this file."""
import argparse
import collections
import concurrent.futures
import fnmatch
import resource
import ssl
import sys
import time
import urllib.parse

import cases_close
import cases_compression
import cases_framing
import cases_sizes
import cases_utf8
from case import Failure, plays
from client import Address, Client, Refused
from frames import BrokenByServer

AUTOBAHN_CASES = 517


def jobs(arguments):
    """(case id, title, way of playing, function without arguments)"""
    address = arguments.address

    def connected(function, offer=None):
        def run():
            with Client(address, offer) as client:
                function(client)
        return run

    for module in (cases_framing, cases_utf8, cases_close):
        for case in module.cases():
            for way, play in plays(case, everywhere=module is cases_utf8):
                yield case.id, case.title, way, connected(lambda client, play=play: play(client, arguments.late_utf8))
    for id, title, play in cases_sizes.cases(arguments.full):
        yield id, title, "as it is", connected(play)
    for id, title, play in cases_compression.offers(only_malformed=arguments.no_deflate):
        yield id, title, "as it is", lambda play=play: play(address)
    if arguments.no_deflate:
        return
    for id, title, offer, play in cases_compression.cases(arguments.full):
        yield id, title, "as it is", connected(play, offer)
    for id, title, offer, play in cases_compression.own(arguments.max_message):
        yield id, title, "as it is", connected(play, offer)
    for id, title, offer, play in cases_compression.contexts(arguments.context_takeover):
        yield id, title, "as it is", connected(play, offer)


def attempt(job):
    """(what went wrong or None, seconds)"""
    start = time.monotonic()
    problem = None
    try:
        job[3]()
    except (Failure, BrokenByServer, Refused, OSError, UnicodeDecodeError) as error:
        problem = f"{type(error).__name__}: {error}"
    return problem, time.monotonic() - start


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="ws://HOST:PORT/ or wss://HOST:PORT/, of whose certificate nothing is asked")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="cases to play, as in 6.* or G*; may be given several times")
    parser.add_argument("--without", action="append", default=[], metavar="PATTERN", help="cases to leave out")
    parser.add_argument("--full", action="store_true", help="Autobahn's own sizes and counts: minutes instead of seconds")
    parser.add_argument("--no-deflate", action="store_true", help="leave out what needs permessage-deflate")
    parser.add_argument("--context-takeover", action="store_true", help="the server keeps contexts, and lets clients do so, unless one refuses")
    parser.add_argument("--late-utf8", action="store_true", help="allow that text is checked only when its message is whole")
    parser.add_argument("--max-message", type=int, default=16 * 1024 * 1024, help="the server's limit of a message, in bytes")
    parser.add_argument("--slow", type=float, metavar="SECONDS", help="name the plays that take so long")
    parser.add_argument("--parallel", type=int, default=8, help="connections at a time")
    arguments = parser.parse_args(words)
    url = urllib.parse.urlsplit(arguments.url)
    arguments.address = Address(url.hostname, url.port or (443 if url.scheme == "wss" else 80), any_certificate() if url.scheme == "wss" else None)
    return arguments


def any_certificate():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def main(words=None):
    arguments = parse(words)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    start = time.monotonic()

    def named(id, patterns):
        return any(fnmatch.fnmatchcase(id, pattern) for pattern in patterns)

    chosen = [job for job in jobs(arguments) if (not arguments.only or named(job[0], arguments.only)) and not named(job[0], arguments.without)]
    failures = collections.OrderedDict()
    with concurrent.futures.ThreadPoolExecutor(arguments.parallel) as pool:
        for job, (problem, seconds) in zip(chosen, pool.map(attempt, chosen)):
            if arguments.slow and seconds >= arguments.slow:
                print(f"{seconds:.1f} s: {job[0]} ({job[1]}), {job[2]}")
            if problem is not None:
                failures.setdefault(job[0], []).append((job[1], job[2], problem))
    for id, problems in failures.items():
        title, way, problem = problems[0]
        print(f"FAILED {id} ({title}), {way}: {problem}" + (f" [and in {len(problems) - 1} other ways]" if len(problems) > 1 else ""))
    ids = {job[0] for job in chosen}
    own = sum(id.startswith("G") for id in ids)
    print(f"{len(ids) - own} of Autobahn's {AUTOBAHN_CASES} cases and {own} of our own, played in {len(chosen)} ways, "
          f"{len(failures)} failed, {time.monotonic() - start:.1f} s")
    return 1 if failures or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
