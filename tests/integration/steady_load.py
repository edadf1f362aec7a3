"""Many WebSocket clients that say numbered messages at a steady rate, and hold every answer against what was said.

One thread with raw sockets: a client library would not reach the rates that are wanted here.
"""
import collections
import select
import socket
import threading
import time

REQUEST = (b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def frame(text):
    """A text frame of a client: with the masking key 0 the payload stands as it is."""
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text


class Client:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=30)
        self.socket.sendall(REQUEST)
        head = b""
        while b"\r\n\r\n" not in head:
            got = self.socket.recv(4096)
            if not got:
                raise ConnectionError(f"closed after {head!r}")
            head += got
        self.input = head.split(b"\r\n\r\n", 1)[1]
        self.socket.setblocking(False)
        self.output = b""
        self.blocked = False
        self.said = 0
        self.expected = 0  # the number of the next answer that was not there before
        self.last = -1
        self.words = []  # in the order in which they first answered
        self.said_at = collections.deque()


class SteadyLoad(threading.Thread):
    """`exactly_once`: an answer that comes twice is a mistake; otherwise it must be marked as `again`."""

    def __init__(self, port, clients, per_second, exactly_once, host="127.0.0.1"):
        super().__init__(daemon=True)
        self.exactly_once = exactly_once
        self.per_second = per_second
        self.clients = [Client(host, port) for _ in range(clients)]
        self.by_fd = {client.socket.fileno(): client for client in self.clients}
        self.poll = select.epoll()
        for fd in self.by_fd:
            self.poll.register(fd, select.EPOLLIN)
        self.speaking = True
        self.ending = False
        self.mistakes = []
        self.repeated = 0  # answers that had come before
        self.again = 0     # answers that are marked
        self.slowest = 0.0
        self.started = time.monotonic()
        self.start()

    @property
    def said(self):
        return sum(client.said for client in self.clients)

    @property
    def answered(self):
        return sum(client.expected for client in self.clients)

    def run(self):
        try:
            self.run_until_end()
        except Exception as error:  # pylint: disable=broad-except
            self.mistakes.append(f"the load itself failed: {error!r}")

    def run_until_end(self):
        begun = time.monotonic()
        turn = 0
        while not self.ending and not self.mistakes:
            due = int((time.monotonic() - begun) * self.per_second) if self.speaking else turn
            # After a pause of this process itself it does not all come at once.
            if due - turn > self.per_second / 10:
                begun += (due - turn - self.per_second / 10) / self.per_second
                due = turn + int(self.per_second / 10)
            while turn < due:
                self.say(self.clients[turn % len(self.clients)])
                turn += 1
            for fd, events in self.poll.poll(0.002):
                client = self.by_fd[fd]
                if events & select.EPOLLOUT:
                    self.write(client)
                if events & ~select.EPOLLOUT:
                    self.read(client)

    def say(self, client):
        client.output += frame(b"%d" % client.said)
        client.said += 1
        client.said_at.append(time.monotonic())
        self.write(client)

    def write(self, client):
        try:
            client.output = client.output[client.socket.send(client.output):]
        except BlockingIOError:
            pass
        except OSError as error:
            return self.mistakes.append(f"a client was disconnected: {error}")
        if bool(client.output) != client.blocked:
            client.blocked = not client.blocked
            self.poll.modify(client.socket.fileno(), select.EPOLLIN | (select.EPOLLOUT if client.blocked else 0))

    def read(self, client):
        try:
            received = client.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            return self.mistakes.append(f"a client was disconnected: {error}")
        if not received:
            return self.mistakes.append(f"a client was disconnected after {client.expected} answers")
        data = client.input + received
        at = 0
        while len(data) - at >= 2 and len(data) - at >= 2 + data[at + 1]:
            size = data[at + 1]
            if data[at] != 0x81 or size > 125:
                return self.mistakes.append(f"not a short text frame: {data[at:at + 40]!r}")
            self.check(client, data[at + 2:at + 2 + size])
            at += 2 + size
        client.input = data[at:]

    def check(self, client, answer):
        parts = answer.split(b" ")
        word, number, again = parts[0], int(parts[1]), len(parts) > 2
        self.again += again
        if not client.words or client.words[-1] != word:
            client.words.append(word)
        if number == client.expected:
            client.expected += 1
            self.slowest = max(self.slowest, time.monotonic() - client.said_at.popleft())
        elif number > client.expected:
            self.mistakes.append(f"answer {number} instead of {client.expected}: lost, or out of order")
        elif self.exactly_once or not again:
            self.mistakes.append(f"answer {number} a second time, after {client.last}{'' if again else ', and not marked'}")
        else:
            self.repeated += 1
        client.last = number

    def finish(self, seconds=60):
        """Says no more, and waits for all answers. Returns the mistakes."""
        self.speaking = False
        end = time.monotonic() + seconds
        while self.answered < self.said and not self.mistakes and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.1)  # what comes a second time comes now
        self.ending = True
        self.join(30)
        self.seconds = time.monotonic() - self.started
        missing = self.said - self.answered
        if missing and not self.mistakes:
            self.mistakes.append(f"{missing} of {self.said} messages were not answered within {seconds} s")
        for client in self.clients:
            client.socket.close()
        return self.mistakes

    def words(self):
        """Each sequence of words that clients saw."""
        return {tuple(word.decode() for word in client.words) for client in self.clients}
