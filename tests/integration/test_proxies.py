"""Real proxies in front of a gateway: nginx, configured word by word as docs/migrating-from-gatewayworker.md says, and HAProxy with both
versions of the PROXY protocol. Clients connect from addresses of their own, which workers must see."""
import asyncio
import contextlib
import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import unittest

import websockets

from php_peer import PhpPeerTest, events
from program import free_ports, is_listening, open_websocket, wait_until

DOCUMENTS = pathlib.Path(__file__).parents[2] / "docs"
PROXY_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"

NGINX = """
daemon off;
master_process off;
error_log {directory}/error.log;
pid {directory}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
{location}
    }}
}}
"""

HAPROXY = """
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
"""
HAPROXY_LISTEN = """
listen {name}
    bind 127.0.0.1:{port}
    server gateway 127.0.0.1:{gateway} {send} check inter 200ms
"""

REGISTER = """
[register]
listen = "text://127.0.0.1:{register}"
"""
GATEWAY = """
[[gateway]]
name = "{name}"
listen = "{scheme}://127.0.0.1:{port}"
start_port = {inner}
register = ["127.0.0.1:{register}"]
max_connections_per_address = 2
{more}
"""


def blocks(document, language):
    """What stands in a document between ```language and ```."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCUMENTS / document).read_text(), re.DOTALL)


class ProxiesTest(PhpPeerTest):
    def setUp(self):
        self.directory = pathlib.Path(self.enter(tempfile.TemporaryDirectory(prefix="gatehouse-proxies-")))

    def enter(self, manager):
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def start_proxy(self, *command, port):
        program = shutil.which(command[0], path=PROXY_PATH)
        if program is None:
            raise unittest.SkipTest(f"{command[0]} is not installed")
        log = self.directory / f"{command[0]}.log"
        with log.open("w") as output:
            process = subprocess.Popen([program, *map(str, command[1:])], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.kill)
        wait_until(lambda: is_listening(port) or process.poll() is not None, what=f"{command[0]} listens")
        self.assertIsNone(process.poll(), log.read_text())

    def start_gateways(self, *gateways, php=False):
        """Each is (name, scheme, settings), with a worker; returns their ports."""
        register, *ports = free_ports(1 + 2 * len(gateways))
        clients, inner = ports[:len(gateways)], ports[len(gateways):]
        text = REGISTER.format(register=register)
        for (name, scheme, more), port, inner_port in zip(gateways, clients, inner):
            text += GATEWAY.format(name=name, scheme=scheme, port=port, inner=inner_port, register=register, more=more)
        file = self.directory / "gatehouse.toml"
        file.write_text(text)
        self.gatehouse = self.start("gatehouse", "-c", file)
        if php:
            _, self.worker_log = self.start_php_worker(f"127.0.0.1:{register}", len(gateways), secret="")
            return clients
        self.worker_log = self.directory / "events"
        worker = self.start("native_worker", "--register", f"127.0.0.1:{register}", "--event-log", self.worker_log)
        wait_until(lambda: all(p["inner_connections"] for p in self.gatehouse.processes("gateway")), what=f"the worker is there:\n{worker.log()}")
        return clients

    def addresses(self, kind):
        return [event[1] for event in events(self.worker_log, kind)]

    def shown(self):
        """The addresses of clients; the proxies' own are those of health checks."""
        result = self.gatehouse.run("connections", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        clients = [c for c in json.loads(result.stdout) if c["kind"] == "client"]
        return [address for c in clients if (address := c["remote_address"].rsplit(":", 1)[0]) != "127.0.0.1"]

    async def echo(self, client):
        await client.send("hello")
        self.assertEqual(await asyncio.wait_for(client.recv(), 30), "echo hello")

    async def assert_limited(self, connect):
        """Two of an address are let in, and a third is not, nor is another address held back by it."""
        async with connect("127.0.0.7") as one, connect("127.0.0.7") as two:
            await self.echo(one)
            await self.echo(two)
            with self.assertRaises(websockets.InvalidStatusCode) as refused:
                await connect("127.0.0.7")
            self.assertEqual(refused.exception.status_code, 429)
            async with connect("127.0.0.8") as other:
                await self.echo(other)
                await self.wait_until_shown("127.0.0.7", "127.0.0.7", "127.0.0.8")

    async def check_nginx(self, document):
        (location,) = blocks(document, "nginx")
        (settings,) = [block for block in blocks(document, "toml") if "trusted_proxies" in block]
        (gateway,) = self.start_gateways(("web", "websocket", settings))
        (port,) = free_ports(1)
        configuration = self.directory / "nginx.conf"
        self.assertIn("http://127.0.0.1:8282;", location)
        location = location.replace("127.0.0.1:8282", f"127.0.0.1:{gateway}")
        configuration.write_text(NGINX.format(directory=self.directory, port=port, location=location))
        self.start_proxy("nginx", "-p", self.directory, "-c", configuration, port=port)

        def connect(source, **more):
            return open_websocket(f"ws://127.0.0.1:{port}/chat?room=1", local_addr=(source, 0), **more)

        async with connect("127.0.0.9", extra_headers={"X-Real-IP": "192.0.2.1", "X-Forwarded-For": "192.0.2.2"}) as client:
            await self.echo(client)
            await self.wait_until_shown("127.0.0.9")
        self.assertEqual(self.addresses("connect"), ["127.0.0.9"])
        _, query, server, _ = events(self.worker_log, "websocket")[0]
        self.assertEqual(query, {"room": "1"})
        self.assertEqual(server["REMOTE_ADDR"], "127.0.0.9")
        await self.assert_limited(connect)
        # Who comes past nginx cannot say that he is somebody else.
        url = f"ws://127.0.0.1:{gateway}/"
        async with open_websocket(url, local_addr=("127.0.0.6", 0), extra_headers={"X-Real-IP": "192.0.2.3"}) as direct:
            await self.echo(direct)
            self.assertIn("127.0.0.6", self.shown())

    async def test_nginx_as_the_document_says(self):
        await self.check_nginx("migrating-from-gatewayworker.md")

    async def test_nginx_as_the_document_says_in_chinese(self):
        await self.check_nginx("migrating-from-gatewayworker.zh.md")

    async def test_haproxy(self):
        settings = 'trusted_proxies = ["127.0.0.1"]\nproxy_protocol = true'
        web, text = self.start_gateways(("web", "websocket", settings), ("lines", "text", settings))
        one, two, lines = free_ports(3)
        configuration = self.directory / "haproxy.cfg"
        configuration.write_text(HAPROXY + "".join([
            HAPROXY_LISTEN.format(name="one", port=one, gateway=web, send="send-proxy"),
            HAPROXY_LISTEN.format(name="two", port=two, gateway=web, send="send-proxy-v2 proxy-v2-options unique-id,crc32c"),
            HAPROXY_LISTEN.format(name="lines", port=lines, gateway=text, send="send-proxy-v2")]))
        self.start_proxy("haproxy", "-db", "-f", configuration, port=one)
        for port in (one, two):

            def connect(source):
                return open_websocket(f"ws://127.0.0.1:{port}/", local_addr=(source, 0))

            async with connect("127.0.0.9") as client:
                await self.echo(client)
                await self.wait_until_shown("127.0.0.9")
            await self.assert_limited(connect)
            await self.wait_until_shown()
        with contextlib.closing(socket.create_connection(("127.0.0.1", lines), 20, ("127.0.0.9", 0))) as client:
            client.sendall(b"hello\n")
            self.assertEqual(client.makefile().readline(), "echo hello\n")
            await self.wait_until_shown("127.0.0.9")
        # HAProxy's health checks went on meanwhile, and were nothing to remark upon.
        self.assertNotIn("proxy_header", self.gatehouse.log())
        # Past the proxy: trusted, but says nothing; and a stranger who claims to be somebody.
        with contextlib.closing(socket.create_connection(("127.0.0.1", text), 20)) as silent:
            silent.sendall(b"hello\n")
            self.assertEqual(silent.recv(100), b"")
        with contextlib.closing(socket.create_connection(("127.0.0.1", text), 20, ("127.0.0.6", 0))) as liar:
            liar.sendall(b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n")
            self.assertEqual(liar.makefile().readline(), "echo PROXY TCP4 192.0.2.1 127.0.0.1 1 2\n")
            await self.wait_until_shown("127.0.0.6")
        self.assertEqual(self.gatehouse.processes("gateway")[1]["limits"], {"proxy_header": 1})

    async def test_a_worker_of_php_sees_the_client(self):
        web, lines = self.start_gateways(
            ("web", "websocket", 'trusted_proxies = ["127.0.0.1"]\nreal_ip_header = "x-forwarded-for"'),
            ("lines", "text", 'trusted_proxies = ["127.0.0.1"]\nproxy_protocol = true'), php=True)
        async with open_websocket(f"ws://127.0.0.1:{web}/", extra_headers={"X-Forwarded-For": "192.0.2.1, 192.0.2.2:4711"}):
            wait_until(lambda: events(self.worker_log, "websocket"), what="the handshake")
        self.assertEqual(events(self.worker_log, "websocket")[0][2]["REMOTE_ADDR"], "192.0.2.2")
        with contextlib.closing(socket.create_connection(("127.0.0.1", lines), 20)) as client:
            client.sendall(b"PROXY TCP4 192.0.2.3 127.0.0.1 4712 80\r\n")
            wait_until(lambda: len(events(self.worker_log, "connect")) == 2, what="both clients")
        self.assertEqual([event[1:3] for event in events(self.worker_log, "connect")], [["192.0.2.2", 4711], ["192.0.2.3", 4712]])

    async def wait_until_shown(self, *addresses):
        """Until these and no others are there: who has been refused, or went through a proxy, takes a moment to go."""
        shown = None
        for _ in range(500):
            shown = sorted(self.shown())
            if shown == sorted(addresses):
                return
            await asyncio.sleep(0.02)
        self.fail(f"{shown} instead of {addresses}")


if __name__ == "__main__":
    unittest.main()
