"""Load balancers and orchestrators that knock at every port every few seconds: answered or ignored, and no line in the log."""
import contextlib
import json
import socket
import struct
import tempfile
import time
import unittest

from program import LineClient, ProgramTest, free_ports, wait_until

REQUESTS = (b"GET / HTTP/1.1\r\nHost: probe\r\nUser-Agent: kube-probe/1.30\r\nConnection: close\r\n\r\n", b"HEAD /healthz HTTP/1.0\r\n\r\n")


class ProbesTest(ProgramTest):
    def connect(self, port):
        return socket.create_connection(("127.0.0.1", port), timeout=20)

    def knock(self, port):
        """Connect and close, in order and by a reset."""
        self.connect(port).close()
        with self.connect(port) as reset:
            reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def ask(self, port, request, answers=True):
        """What comes back until the port has had enough, or the prober of one that answers nothing."""
        answer = b""
        with self.connect(port) as probe:
            probe.sendall(request)
            if not answers:
                probe.settimeout(0.3)
            try:
                while chunk := probe.recv(65536):
                    answer += chunk
            except (TimeoutError, ConnectionError):
                pass
        return answer

    def probe(self, program, ports, http_only=()):
        before = program.log()
        for port in ports:
            self.knock(port)
            for request in REQUESTS:
                answer = self.ask(port, request, answers=port in http_only)
                if port in http_only:
                    self.assertTrue(answer.startswith(b"HTTP/1.1 4"), (port, answer))
        return before

    def test_every_port_of_a_cluster(self):
        ports = free_ports(9)
        register, clients, inner = ports[0], ports[1:5], ports[5:9]
        arguments = ["--register", f"127.0.0.1:{register}", "--start-port", inner[0]]
        for scheme, port in zip(("websocket", "text", "frame", "tcp"), clients):
            arguments += ["--listen", f"{scheme}://127.0.0.1:{port}"]
        program = self.start("echo", *arguments)
        for line, times in (("connected to the gateway", 4), ("connected to the register", 5), (" is here", 4)):
            wait_until(lambda: program.log().count(line) == times, what=f"all that starting has to say: {line}")
        with LineClient(clients[1]) as client:
            client.send("Ehello")
            self.assertEqual(client.receive(), "Ehello")
            before = self.probe(program, ports, http_only=(clients[0], *inner))
            self.assertIn(b"Bad request", self.ask(register, REQUESTS[0]))
            client.send("Estill here")
            self.assertEqual(client.receive(), "Estill here")
            wait_until(lambda: sum(p["connections"] for p in program.processes("gateway")) == 1, what="the probes are gone")
        self.assertEqual(program.log(), before)

    def test_strangers_do_not_fill_the_log(self):
        program, _ = self.start_echo("text")
        rows = json.loads(program.run("connections", "--json").stdout)
        inner, register = (next(row["remote_address"] for row in rows if row["kind"] == kind) for kind in ("events", "register"))
        begun = time.monotonic()
        for address, refused, line in ((inner, 100, "refused: "), (register, 100, "sent a bad request: ")):
            for _ in range(refused):
                with self.connect(int(address.rsplit(":", 1)[1])) as stranger, contextlib.suppress(ConnectionError):
                    stranger.sendall(bytes(28) + b"\n")
                    while stranger.recv(1000):
                        pass
            lines = program.log().count(line)
            self.assertGreater(lines, 0, line)
            self.assertLessEqual(lines, 2 + (time.monotonic() - begun) / 10, line)

    def test_ports_with_a_secret(self):
        register, public, inner = free_ports(3)
        text = f"""
[register]
listen = "text://0.0.0.0:{register}"
secret_key = "s3cret"
[[gateway]]
listen = "websocket://127.0.0.1:{public}"
start_port = {inner}
lan_ip = "localhost"
inner_listen = "0.0.0.0"
register = ["localhost:{register}"]
secret_key = "s3cret"
"""
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            program = self.start("gatehouse", "-c", file.name)
            # Names have been looked up: what is announced is the address.
            for line in (f"gateway 127.0.0.1:{inner} is here", "connected to the register"):
                wait_until(lambda: line in program.log(), what=line)
            self.assertIn("lan_ip localhost is 127.0.0.1", program.log())
            # No worker is there, and the clients' port answers all the same.
            before = self.probe(program, (register, public, inner), http_only=(public, inner))
            wait_until(lambda: sum(p["inner_connections"] for p in program.processes("gateway")) == 0, what="the probes are gone")
            self.assertEqual(program.log(), before)


if __name__ == "__main__":
    unittest.main()
