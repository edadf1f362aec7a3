"""Clients over TLS, and TLS between the processes, with other people's implementations: Python's ssl and websockets, npm's ws, openssl
s_client, curl. Certificates are made by openssl."""
import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import unittest

import websockets

from certificates import make_authority, make_member, make_self_signed
from program import BIN, LineClient, ProgramTest, free_ports, open_websocket, wait_until

HERE = pathlib.Path(__file__).parent


class TlsTest(ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory(prefix="gatehouse-certificates-")
        cls.addClassCleanup(cls.made.cleanup)
        cls.certificates = pathlib.Path(cls.made.name)
        cls.own = make_self_signed(cls.certificates, "own", "localhost")
        cls.other = make_self_signed(cls.certificates, "other", "other.example", "*.other.example")

    def start_tls(self, *schemes, certificates=None, extra=(), **counts):
        arguments = list(extra)
        for certificate, key in certificates or [self.own]:
            arguments += ["--tls-cert", certificate, "--tls-key", key]
        return self.start_echo(*schemes, extra=arguments, **counts)

    def trusting(self, *certificates):
        context = ssl.create_default_context()
        for certificate in certificates or [self.own[0]]:
            context.load_verify_locations(certificate)
        return context

    def connect(self, port, context=None, host="localhost"):
        raw = socket.create_connection(("127.0.0.1", port), timeout=20)
        return (context or self.trusting()).wrap_socket(raw, server_hostname=host)

    def say(self, encrypted, line):
        """One line to a text gateway, and the line that comes back."""
        encrypted.sendall(line.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            piece = encrypted.recv(65536)
            self.assertTrue(piece, f"closed; {answer!r}")
            answer += piece
        return answer.decode().rstrip("\n")

    @staticmethod
    def read_to_the_end(client):
        """What the other side has not read when it closes makes the end a reset."""
        said = b""
        with contextlib.suppress(ConnectionError):
            while chunk := client.recv(1000):
                said += chunk
        return said

    def limits(self, program):
        total = {}
        for process in program.processes("gateway"):
            for name, count in process.get("limits", {}).items():
                total[name] = total.get(name, 0) + count
        return total


class ClientsTest(TlsTest):
    async def test_websockets_over_both_versions(self):
        program, (port,) = self.start_tls("wss", extra=["--mirror"])
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.trusting()
            context.minimum_version = context.maximum_version = version
            context.set_alpn_protocols(["http/1.1"])
            async with open_websocket(f"wss://localhost:{port}/", host="127.0.0.1", ssl=context) as client:
                for message in ["", "hello", "Zoë 中文 😀", os.urandom(125), os.urandom(16384), os.urandom(65536), "x" * (1024 * 1024)]:
                    await client.send(message)
                    self.assertEqual(await asyncio.wait_for(client.recv(), 30), message)
                encrypted = client.transport.get_extra_info("ssl_object")
                self.assertEqual(encrypted.version(), version.name.replace("_", "."))
                self.assertEqual(encrypted.selected_alpn_protocol(), "http/1.1")
        rows = json.loads(program.run("connections", "--json").stdout)
        self.assertTrue(all(row["protocol"] == "ws+tls" for row in rows if row["kind"] == "client"))
        self.assertEqual(self.limits(program), {})

    async def test_a_stop_is_told_in_order(self):
        program, (port,) = self.start_tls("wss")
        client = await open_websocket(f"wss://localhost:{port}/", host="127.0.0.1", ssl=self.trusting())
        program.process.send_signal(signal.SIGINT)
        with self.assertRaises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(client.recv(), 30)
        self.assertEqual(closed.exception.rcvd.code, 1001)

    def test_ws(self):
        _, (port,) = self.start_tls("wss", extra=["--mirror"])
        result = subprocess.run(["node", HERE / "ws_client.mjs", f"wss://localhost:{port}/"], capture_output=True, text=True, timeout=120,
                                stdin=subprocess.DEVNULL, cwd=HERE, env={**os.environ, "NODE_EXTRA_CA_CERTS": str(self.own[0])})
        self.assertEqual(result.stdout.strip(), "OK", result.stdout + result.stderr)

    def test_every_protocol(self):
        _, (text, frame, tcp) = self.start_tls("text+tls", "frame+tls", "tcp+tls", extra=["--mirror"])
        with self.connect(text) as client:
            self.assertEqual(self.say(client, "a line"), "a line")
        with self.connect(frame) as client:
            message = os.urandom(100_000)
            client.sendall(struct.pack(">I", 4 + len(message)) + message)
            answer = b""
            while len(answer) < 4 + len(message):
                answer += client.recv(65536)
            self.assertEqual(answer[4:], message)
        with self.connect(tcp) as client:
            client.sendall(b"bytes")
            self.assertEqual(client.recv(100), b"bytes")
            client.unwrap().close()  # close_notify is answered with close_notify, or this raises

    def test_a_hundred_at_once(self):
        program, (port,) = self.start_tls("text+tls", gateways=2, extra=["--tls-handshakes", "400"])
        clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(100)]
        context = self.trusting()
        encrypted = [context.wrap_socket(client, server_hostname="localhost") for client in clients]
        for client in encrypted:
            self.assertEqual(self.say(client, "Jroom"), "j")
        encrypted[0].sendall(b"Proom\tto all of them\n")
        for client in encrypted:
            self.assertEqual(client.recv(100), b"to all of them\n")
            client.close()
        wait_until(lambda: sum(p["connections"] for p in program.processes("gateway")) == 0, what="all have gone")

    def test_curl(self):
        _, (port,) = self.start_tls("wss")
        words = ["curl", "-s", "-i", "--max-time", "20", "--cacert", str(self.own[0]), "--http1.1"]
        answer = subprocess.run([*words, f"https://localhost:{port}/"], capture_output=True, text=True, timeout=60)
        self.assertTrue(answer.stdout.startswith("HTTP/1.1 400 "), answer)
        plain = subprocess.run([*words, f"http://localhost:{port}/"], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(plain.returncode, 0)

    def test_noise_is_counted_and_not_logged(self):
        program, (port,) = self.start_tls("wss")
        for noise in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(300), b"\x16\x03\x01\x00\x02\x01\x00"):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                client.sendall(noise)
                client.shutdown(socket.SHUT_WR)
                self.read_to_the_end(client)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(ssl.SSLError):
            self.connect(port, old)
        wait_until(lambda: self.limits(program).get("tls", 0) >= 3, what="they are counted")
        # Who connects to whom is still being said meanwhile, and that the certificate of the tests ends soon.
        log = "\n".join(line for line in program.log().splitlines() if "the certificate" not in line)
        self.assertNotRegex(log, "(warning|error) +gateway|limit tls|TLS")


class SessionsTest(TlsTest):
    def s_client(self, port, *words):
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-CAfile", self.own[0], *words]
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        process.stdin.write(b"Ehello\n")
        process.stdin.flush()
        # Until the answer is there, for that is behind the ticket.
        said = b""
        while b"Ehello\n" not in said:
            piece = os.read(process.stdout.fileno(), 65536)
            self.assertTrue(piece, said)
            said += piece
        process.stdin.close()
        said += process.stdout.read()
        process.stdout.close()
        process.wait(30)
        return said.decode(errors="replace")

    def test_are_resumed_whichever_process_it_comes_to(self):
        program, (port,) = self.start_tls("text+tls", gateways=2)
        for version in ("-tls1_2", "-tls1_3"):
            ticket = self.certificates / "session"
            first = self.s_client(port, version, "-sess_out", ticket)
            self.assertIn("\nNew, TLSv1", first)
            self.assertIn("Verify return code: 0 (ok)", first)
            for _ in range(6):
                self.assertIn("\nReused, TLSv1", self.s_client(port, version, "-sess_in", ticket))
        program.kill("gateway", 0)
        program.kill("gateway", 1)
        self.assertIn("\nReused, TLSv1", self.s_client(port, "-tls1_3", "-sess_in", ticket))
        environment = pathlib.Path(f"/proc/{program.pids('gateway')[0]}/environ").read_bytes()
        seeds = [entry for entry in environment.split(b"\0") if entry.startswith(b"GATEHOUSE_TICKET_SEED=")]
        self.assertTrue(all(entry == b"GATEHOUSE_TICKET_SEED=" for entry in seeds), "wiped")


class CertificatesTest(TlsTest):
    def shown(self, port, host="localhost"):
        """The host for which the certificate is that a new client is shown."""
        context = self.trusting(self.own[0], self.other[0], *self.certificates.glob("renewed*.pem"))
        context.check_hostname = False
        with self.connect(port, context, host) as client:
            return dict(part[0] for part in client.getpeercert()["subject"])["commonName"]

    def test_the_name_chooses(self):
        _, (port,) = self.start_tls("text+tls", certificates=[self.own, self.other])
        for host, wanted in (("localhost", "localhost"), ("other.example", "other.example"), ("a.other.example", "other.example"),
                             ("unknown.example", "localhost"), (None, "localhost")):
            self.assertEqual(self.shown(port, host), wanted, host)

    def test_are_renewed_under_a_live_client(self):
        live = [self.certificates / f"live.{kind}" for kind in ("pem", "key")]

        def install(pair):
            for source, target in zip(pair, live):
                shutil.copy(source, self.certificates / "new")
                os.replace(self.certificates / "new", target)

        install(self.own)
        program, (port,) = self.start_tls("text+tls", certificates=[live], gateways=2)
        old = self.connect(port)
        self.assertEqual(self.say(old, "Ebefore"), "Ebefore")
        install(make_self_signed(self.certificates, "renewed", "renewed.example"))
        wait_until(lambda: all(self.shown(port) == "renewed.example" for _ in range(4)), what="the files are seen to have changed")
        self.assertEqual(self.say(old, "Ebehind"), "Ebehind")

        # A pair that does not fit is refused, and named.
        shutil.copy(self.own[1], self.certificates / "new")
        os.replace(self.certificates / "new", live[1])
        wait_until(lambda: "the certificates stay as they are" in program.log(), what="the mistake is logged")
        self.assertIn(f"{live[1]} is not the key of the certificate {live[0]}", program.log())
        self.assertEqual(self.shown(port), "renewed.example")

        # By hand: reload says so to everybody.
        install(self.own)
        self.assertEqual(program.run("reload").returncode, 0)
        wait_until(lambda: all(self.shown(port) == "localhost" for _ in range(4)), what="they are read again")
        pids = program.pids("gateway")
        count = program.log().count("has been read; it ends")
        os.kill(program.process.pid, signal.SIGURG)
        wait_until(lambda: program.log().count("has been read; it ends") >= count + 2, what="the signal does it too")
        self.assertEqual(self.say(old, "Estill"), "Estill")
        self.assertEqual(program.pids("gateway"), pids)
        old.close()

    def test_mistakes_are_one_line_before_anything_starts(self):
        ports = free_ports(3)

        def refused(*words):
            program = self.program("echo", "--register", f"127.0.0.1:{ports[0]}", "--start-port", ports[1], *words)
            result = program.run("start")
            self.assertEqual(result.returncode, 1, result)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
            return result.stderr

        listen = ["--listen", f"wss://127.0.0.1:{ports[2]}"]
        self.assertIn("tls_cert: it is missing", refused(*listen))
        nowhere = self.certificates / "nowhere.pem"
        self.assertIn(f"tls_cert: {nowhere} cannot be read: No such file", refused(*listen, "--tls-cert", nowhere, "--tls-key", self.own[1]))
        mixed = refused(*listen, "--tls-cert", self.own[0], "--tls-key", self.other[1])
        self.assertIn(f"tls_key: {self.other[1]} is not the key of the certificate {self.own[0]}", mixed)
        toml = self.certificates / "gatehouse.toml"
        toml.write_text(f'[[gateway]]\nlisten = "wss://127.0.0.1:{ports[2]}"\ntls_cert = "{self.own[0]}"\ntls_key = "{nowhere}"\n')
        check = subprocess.run([BIN / "gatehouse", "check", "-c", toml], capture_output=True, text=True, timeout=60)
        self.assertIn(f"gatehouse.toml:4: gateway \"Gateway\": tls_key: {nowhere} cannot be read", check.stderr)


class InnerTest(TlsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = make_authority(cls.certificates, "cluster")
        cls.member = make_member(cls.certificates, "member", cls.authority)
        cls.stranger = make_member(cls.certificates, "stranger", make_authority(cls.certificates, "elsewhere"))

    def inner(self, pair):
        return ["--inner-tls-ca", self.authority[0], "--inner-tls-cert", pair[0], "--inner-tls-key", pair[1]]

    def test_a_whole_cluster(self):
        ports = free_ports(5)
        register, inner = f"127.0.0.1:{ports[0]}", ports[3]
        program = self.start("echo", "--register", register, "--start-port", inner, "--gateways", 2, "--workers", 2,
                             "--listen", f"text://127.0.0.1:{ports[1]}", *self.inner(self.member))
        with LineClient(ports[1]) as client:
            client.send("Ehello")
            self.assertEqual(client.receive(), "Ehello")
            for which in (0, 1):
                program.kill("worker", which)
            client.send("Eagain")
            self.assertEqual(client.receive(), "Eagain")
            rows = json.loads(program.run("connections", "--json").stdout)
            self.assertEqual({row["protocol"] for row in rows if row["kind"] in ("events", "commands", "worker")}, {"gateway+tls", "text+tls"})

            def call(*words):
                command = [BIN / "gatehouse", "call", "--register", register, "--timeout", "3s", *map(str, words)]
                return subprocess.run(command, capture_output=True, text=True, timeout=60)

            counted = call("client_count", *self.inner(self.member))
            self.assertEqual((counted.stdout, counted.returncode), ("1\n", 0), counted)
            self.assertEqual(call("send_to_all", "by call", *self.inner(self.member)).returncode, 0)
            self.assertEqual(client.receive(), "by call")
            for words in ((), self.inner(self.stranger)):
                refused = call("client_count", *words)
                self.assertEqual((refused.returncode, refused.stdout, refused.stderr.count("\n")), (1, "", 1), refused)
            half = call("client_count", "--inner-tls-ca", self.authority[0])
            self.assertEqual(half.returncode, 2)
            self.assertIn("inner_tls: ", half.stderr)

            self.refuse_strangers(ports[0], inner)
            wait_until(lambda: self.limits(program).get("inner_tls", 0) >= 2, what="they are counted")
            self.assertIn("only peers with a certificate of its authority are let in", program.log())
            client.send("Estill")
            self.assertEqual(client.receive(), "Estill")

    def refuse_strangers(self, *ports):
        for port in ports:
            # As PHP's peers speak.
            with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
                plain.sendall(b'{"event":"worker_connect","secret_key":""}\n')
                self.assertNotIn(b"broadcast_addresses", self.read_to_the_end(plain))
            for pair in (None, self.stranger):
                context = self.trusting(self.authority[0])
                context.check_hostname = False
                if pair:
                    context.load_cert_chain(*pair)
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    # In TLS 1.3 a client hears of its refusal with the first answer.
                    with self.connect(port, context) as client:
                        client.sendall(b'{"event":"worker_connect","secret_key":""}\n')
                        self.assertEqual(client.recv(1000), b"an answer that must not come")

    def test_a_name_may_be_asked_for(self):
        """Of an authority that signs other things as well."""
        ports = free_ports(1)
        neighbour = make_member(self.certificates, "neighbour", self.authority)
        self.assertIn("inner_tls_cert: ", self.run_register(ports[0], neighbour, "member").stderr, "its own is not for that name")
        toml = self.register_toml(ports[0], self.member, "member")
        self.start("gatehouse", "-c", toml)

        def call(pair, *words):
            return subprocess.run([BIN / "gatehouse", "call", "--register", f"127.0.0.1:{ports[0]}", "--timeout", "2s", *map(str, self.inner(pair)),
                                   *words, "client_count"], capture_output=True, text=True, timeout=60)

        self.assertEqual(call(self.member, "--inner-tls-name", "member").stdout, "0\n")
        refused = call(neighbour)
        self.assertEqual((refused.returncode, refused.stdout), (1, ""), refused)
        self.assertIn("TLS: ", refused.stderr)

    def register_toml(self, port, pair, name):
        toml = self.certificates / "named.toml"
        toml.write_text("".join([
            "[register]\n", f'listen = "text://127.0.0.1:{port}"\n', f'inner_tls_ca = "{self.authority[0]}"\n',
            f'inner_tls_cert = "{pair[0]}"\n', f'inner_tls_key = "{pair[1]}"\n', f'inner_tls_name = "{name}"\n']))
        return toml

    def run_register(self, port, pair, name):
        toml = self.register_toml(port, pair, name)
        return subprocess.run([BIN / "gatehouse", "check", "-c", toml], capture_output=True, text=True, timeout=60)

    def test_what_can_never_work_is_said_beforehand(self):
        ports = free_ports(3)
        toml = self.certificates / "never.toml"

        def role(pair):
            return f'inner_tls_ca = "{self.authority[0]}"\ninner_tls_cert = "{pair[0]}"\ninner_tls_key = "{pair[1]}"\n' if pair else ""

        def check(of_register, of_gateway):
            toml.write_text(f'[register]\nlisten = "text://127.0.0.1:{ports[0]}"\n{role(of_register)}[[gateway]]\nlisten = "ws://127.0.0.1:{ports[1]}"\n'
                            f'start_port = {ports[2]}\nregister = ["127.0.0.1:{ports[0]}"]\n{role(of_gateway)}')
            return subprocess.run([BIN / "gatehouse", "check", "-c", toml], capture_output=True, text=True, timeout=60).stderr

        client = make_member(self.certificates, "client", self.authority, used_for="clientAuth")
        server = make_member(self.certificates, "server", self.authority, used_for="serverAuth")
        self.assertEqual(check(self.member, self.member), "")
        self.assertEqual(check(server, self.member), "")
        self.assertIn(f"inner_tls_cert: {self.stranger[0]} would be refused by all who trust {self.authority[0]}", check(self.stranger, self.member))
        self.assertIn(f"inner_tls_cert: {client[0]} cannot be shown as a server's certificate", check(client, self.member))
        self.assertIn(f"inner_tls_cert: {server[0]} cannot be shown as a client's certificate", check(self.member, server))
        self.assertIn("inner_tls_ca: it is missing, and the register", check(self.member, None))

    def test_tls_on_one_side_is_said_by_its_name(self):
        ports = free_ports(2)
        toml = self.certificates / "plain.toml"
        toml.write_text(f'[register]\nlisten = "text://127.0.0.1:{ports[0]}"\n')
        plain = self.start("gatehouse", "-c", toml)

        def call(port, *words):
            return subprocess.run([BIN / "gatehouse", "call", "--register", f"127.0.0.1:{port}", "--timeout", "2s", *map(str, words), "client_count"],
                                  capture_output=True, text=True, timeout=60).stderr

        self.assertIn("the register speaks no TLS: inner_tls is set here, and not there", call(ports[0], *self.inner(self.member)))
        self.assertIn("speaks TLS; inner_tls is set there, and not here", plain.log())
        self.start("gatehouse", "-c", self.register_toml(ports[1], self.member, ""))
        self.assertIn("speaks TLS: inner_tls is set there, and not here", call(ports[1]))

    def test_status_has_the_ends_of_certificates(self):
        ports = free_ports(1)
        program = self.start("gatehouse", "-c", self.register_toml(ports[0], self.member, ""))
        (certificate,) = program.processes("register")[0]["certificates"]
        self.assertEqual(certificate["file"], str(self.member[0]))
        self.assertIn(certificate["days_left"], (1, 2))
        self.assertRegex(certificate["ends"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIn(f"certificate {self.member[0]} ends {certificate['ends']}", program.run("status").stdout)
        self.assertIn(f"TLS: the certificate {self.member[0]} ends ", program.log())

    def test_who_is_not_let_in_says_why(self):
        ports = free_ports(1)
        toml = self.certificates / "gateways.toml"
        toml.write_text("".join([
            "[register]\n", f'listen = "text://127.0.0.1:{ports[0]}"\n', f'inner_tls_ca = "{self.authority[0]}"\n',
            f'inner_tls_cert = "{self.member[0]}"\n', f'inner_tls_key = "{self.member[1]}"\n']))
        self.start("gatehouse", "-c", toml)
        call = subprocess.run([BIN / "gatehouse", "call", "-c", toml, "client_count"], capture_output=True, text=True, timeout=60)
        self.assertEqual(call.stdout, "0\n", call.stderr)
        stranger = subprocess.run([BIN / "gatehouse", "call", "--register", f"127.0.0.1:{ports[0]}", "--timeout", "2s", *map(str, self.inner(self.stranger)),
                               "client_count"], capture_output=True, text=True, timeout=60)
        self.assertIn("TLS: ", stranger.stderr)
        self.assertIn("does the register have inner_tls, of the same authority?", stranger.stderr)


if __name__ == "__main__":
    unittest.main()
