"""Sessions: what a handler writes, the next event of that client sees; what others write meanwhile stays."""
import json
import pathlib
import subprocess
import tempfile
import unittest

from program import BIN, LineClient, ProgramTest, free_ports, wait_until


class SessionsTest(ProgramTest):
    def start_cluster(self, workers, extra=""):
        register, self.port, inner = free_ports(3)
        self.register = f"127.0.0.1:{register}"
        file = tempfile.NamedTemporaryFile("w", suffix=".toml")  # pylint: disable=consider-using-with
        self.addCleanup(file.close)
        file.write(f'[register]\nlisten = "text://{self.register}"\n'
                   f'[[gateway]]\nlisten = "text://127.0.0.1:{self.port}"\nstart_port = {inner}\nregister = "{self.register}"\n{extra}\n')
        file.flush()
        program = self.start("gatehouse", "-c", file.name)
        self.start("native_worker", "--register", self.register, "--workers", workers)
        program.wait_until_joined(workers)

    def request(self, client, **request):
        client.send(json.dumps(request))
        return self.answer(client)

    def answer(self, client):
        return json.loads(client.receive().removeprefix("R"))

    def call(self, *words):
        command = [BIN / "gatehouse", "call", "--json", "--register", self.register, *words]
        return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)

    def test_messages_that_arrive_at_once(self):
        self.start_cluster(workers=3)
        self.count_to_60()

    def test_messages_that_arrive_at_once_and_go_to_different_workers(self):
        self.start_cluster(workers=3, extra='router = "round_robin"')
        self.count_to_60()

    def count_to_60(self):
        with LineClient(self.port) as client:
            # Every third handler is suspended, so that others of the same client wait behind it.
            lines = [{"count": 1, "sleep": 2} if i % 3 == 0 else {"count": 1} for i in range(60)]
            client.socket.sendall("".join(json.dumps(line) + "\n" for line in lines).encode())
            self.assertEqual([self.answer(client)["session"]["count"] for _ in lines], list(range(1, 61)))
            self.assertEqual(self.request(client)["session"], {"count": 60})

    def test_what_others_write_while_a_handler_runs(self):
        self.start_cluster(workers=2)
        with LineClient(self.port) as client:
            id = self.request(client, session={"n": 1, "old": True, "cart": {"apple": 1}})["id"]
            go_on = self.enterContext(tempfile.TemporaryDirectory(prefix="gatehouse-sessions-")) + "/go-on"
            client.send(json.dumps({"merge": {"n": 2, "name": "Tom"}, "erase": "old", "until": go_on}))
            wait_until(pathlib.Path(go_on + ".begun").exists, what="the handler runs")
            self.call("update_session", id, '{"vip":true,"cart":{"pear":2}}')
            self.assertEqual(self.call("session", id), {"n": 1, "old": True, "cart": {"apple": 1, "pear": 2}, "vip": True}, "it still runs")
            pathlib.Path(go_on).touch()
            self.assertEqual(self.answer(client)["session"], {"n": 2, "name": "Tom", "cart": {"apple": 1}})
            both = {"n": 2, "name": "Tom", "cart": {"apple": 1, "pear": 2}, "vip": True}
            self.assertEqual(self.request(client)["session"], both)
            self.assertEqual(self.call("session", id), both)


if __name__ == "__main__":
    unittest.main()
