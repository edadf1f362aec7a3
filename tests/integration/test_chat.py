"""The chat with real browsers and a terminal (chat_browser.mjs says what they do), while its processes are killed; and by telnet alone."""
import os
import pathlib
import signal
import subprocess
import unittest

from program import OUTPUT, LineClient, ProgramTest, free_ports, is_listening, wait_until

HERE = pathlib.Path(__file__).parent


class ChatTest(ProgramTest):
    def chat(self):
        web, websocket, telnet, register, inner = free_ports(205)[:5]
        program = self.start("chat", "--web-port", web, "--ws-port", websocket, "--telnet-port", telnet, "--register-port", register,
                             "--inner-port", inner)
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

    def test_telnet(self):
        _, _, port = self.chat()
        self.talk(port)

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
