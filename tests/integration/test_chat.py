"""The chat with real browsers and a terminal (chat_browser.mjs says what they do), while its processes are killed; and by telnet alone."""
import asyncio
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest
import urllib.request

import websockets

from certificates import make_self_signed
from program import OUTPUT, LineClient, ProgramTest, free_ports, is_listening, wait_until

HERE = pathlib.Path(__file__).parent


class ChatTest(ProgramTest):
    def chat(self, *words):
        web, websocket, telnet, register, inner = free_ports(205)[:5]
        program = self.start("chat", "--web-port", web, "--ws-port", websocket, "--telnet-port", telnet, "--register-port", register,
                             "--inner-port", inner, *words)
        wait_until(lambda: is_listening(web), 20, "the page is served")
        return program, web, telnet

    def test_browsers_and_terminal(self):
        program, web, telnet = self.chat()
        actions = {
            "kill-worker": lambda: program.kill("worker"),
            "kill-register": lambda: program.kill("register"),
            "kill-gateways": lambda: self.kill_gateways(program),
            "stop": program.stop,
            "start": program.start_again,
        }
        script = subprocess.Popen(["node", HERE / "chat_browser.mjs", f"http://127.0.0.1:{web}/", str(telnet), OUTPUT / "screenshots"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=HERE)
        self.addCleanup(script.wait)
        self.addCleanup(script.kill)
        said = []
        for line in script.stdout:
            said.append(line)
            if line.startswith("ACTION "):
                actions[line.split()[1]]()
                script.stdin.write("done\n")
                script.stdin.flush()
        self.assertEqual(script.wait(30), 0, "".join(said) + program.log())
        self.assertEqual(said[-1].strip(), "OK", "".join(said))

    def kill_gateways(self, program):
        """Those of the page; the terminal's stays."""
        killed = [p["pid"] for p in program.processes("gateway") if p["name"] == "ChatGateway"]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

        def replaced():
            gateways = program.processes("gateway")
            return len(gateways) == 3 and all(p["state"] == "running" and p["pid"] not in killed for p in gateways)

        wait_until(replaced, 30, "new gateways")

    def test_over_tls(self):
        with tempfile.TemporaryDirectory(prefix="gatehouse-certificates-") as made:
            certificate, key = make_self_signed(pathlib.Path(made), "chat", "localhost")
            words = ["--tls-cert", certificate, "--tls-key", key]
            _, web, telnet = self.chat(*words)
            context = ssl.create_default_context(cafile=certificate)

            def get(path):
                with urllib.request.urlopen(f"https://localhost:{web}/{path}", context=context, timeout=20) as answer:
                    return answer.read()

            self.assertIn(b"<!doctype html>", get("").lower())
            port = json.loads(get("config.json"))["websocket_port"]
            asyncio.run(self.talk_encrypted(port, context))
            self.talk(telnet)
            with self.assertRaises(OSError):
                urllib.request.urlopen(f"http://localhost:{web}/", timeout=20)
            # One without the other is named before anything starts.
            ports = free_ports(205)
            alone = self.program("chat", "--web-port", ports[0], "--ws-port", ports[1], "--telnet-port", ports[2], "--register-port",
                                 ports[3], "--inner-port", ports[4], *words[:2]).run("start")
            self.assertEqual((alone.returncode, alone.stderr.count("\n")), (1, 1), alone)
            self.assertIn("tls_key: 0 keys for 1 certificate", alone.stderr)

    async def talk_encrypted(self, port, context):
        async with websockets.connect(f"wss://localhost:{port}/", host="127.0.0.1", ssl=context) as page:
            await page.send(json.dumps({"type": "join", "name": "Ada", "room": "lobby"}))
            while json.loads(await asyncio.wait_for(page.recv(), 30))["type"] != "joined":
                pass
            await page.send(json.dumps({"type": "say", "text": "over TLS"}))
            said = {}
            while said.get("type") != "chat":
                said = json.loads(await asyncio.wait_for(page.recv(), 30))
            self.assertEqual((said["from"], said["text"]), ("Ada", "over TLS"))

    def test_telnet(self):
        _, _, port = self.chat()
        self.talk(port)

    def test_one_line_and_an_end(self):
        """printf 'hello\\n' | nc -N: the answers come, and then the end."""
        _, _, port = self.chat()
        with LineClient(port) as client:
            client.socket.sendall(b"hello\n")
            client.socket.shutdown(socket.SHUT_WR)
            client.receive_until("hello")
            self.assertTrue(client.is_closed())

    def test_telnet_chat_alone(self):
        port, register, inner = free_ports(3)
        self.start("telnet_chat", "--port", port, "--register-port", register, "--inner-port", inner)
        self.talk(port)

    def talk(self, port):
        with LineClient(port) as ann, LineClient(port) as ben, LineClient(port) as taken:
            ann.send("ann")
            ann.receive_until("ann")
            ben.send("ben")
            ann.receive_until("ben")
            taken.send("ann")
            taken.receive_until("taken")
            ben.send("hello all")
            self.assertIn("ben", ann.receive_until("hello all"))
            ann.send("$ben:psst")
            self.assertIn("ann", ben.receive_until("psst"))
            ann.send("$zed:psst")
            ann.receive_until("zed")
            ann.send("help")
            ann.receive_until("$")
            ben.close()
            ann.receive_until("ben")


if __name__ == "__main__":
    unittest.main()
