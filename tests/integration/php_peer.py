"""The PHP programs of tests/php, and clients that make calls of a cluster through whichever worker there is."""
import json
import os
import pathlib
import subprocess
import tempfile
import time

from program import BIN, LineClient, ProgramTest, free_ports, is_listening, wait_until

PHP = pathlib.Path(__file__).parents[1] / "php"
SECRET = "the secret of the tests"


class PhpProgram:
    def __init__(self, script, *arguments, talks=False):
        self.script = script
        self.log = tempfile.NamedTemporaryFile(prefix=f"gatehouse-{script}-", suffix=".log")
        self.process = subprocess.Popen(["php", "-d", "display_errors=stderr", "-d", "error_reporting=-1", PHP / script, *map(str, arguments)],
                                        stdin=subprocess.PIPE if talks else subprocess.DEVNULL, stdout=subprocess.PIPE if talks else self.log,
                                        stderr=self.log, text=True)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"{self.script} has ended: {self.output()}")
        return json.loads(line)

    def output(self):
        return pathlib.Path(self.log.name).read_text()

    def stop(self):
        """Fails when PHP had anything to say: a warning of its unserialize() or unpack() is a wrong byte of ours."""
        if self.log is None:
            return
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait()
        with self.log:
            output = self.output()
        self.log = None
        if output:
            raise AssertionError(f"{self.script}: {output}")


class Caller(LineClient):
    """A client of a worker that makes calls for its clients: native_worker, or worker.php."""

    def __init__(self, port):
        super().__init__(port)
        self.id = self.request()["id"]

    def request(self, **request):
        self.send(json.dumps(request))
        while True:
            line = self.receive()
            if line.startswith("R{"):
                return json.loads(line[1:])

    def ask(self, request):
        return self.request(**request)


class GatewayCall:
    """The same calls by `gatehouse call`, which is what GatewayClient does."""

    ARGUMENTS = ("client", "clients", "uid", "uids", "group", "groups", "value", "data", "last_words")

    def __init__(self, register, secret=SECRET):
        self.register = register
        self.secret = secret

    def ask(self, request):
        command = [BIN / "gatehouse", "call", "--json", "--register", self.register]
        command += [word for client in request.get("except", []) for word in ("--except", client)] + ["--raw"] * request.get("raw", False)
        command += ["--", request["call"]]
        for name in self.ARGUMENTS:
            argument = request.get(name)
            if isinstance(argument, dict):
                command.append(json.dumps(argument))
            elif argument is not None:
                command += argument if isinstance(argument, list) else [argument]
        done = subprocess.run(command, env={**os.environ, "GATEHOUSE_SECRET_KEY": self.secret}, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60)
        if done.returncode != 0:
            return {"error": done.stderr}
        return {"result": json.loads(done.stdout) if done.stdout else None}


class PhpPeerTest(ProgramTest):
    def php(self, script, *arguments, talks=False):
        program = PhpProgram(script, *arguments, talks=talks)
        self.addCleanup(program.stop)
        return program

    def event_log(self):
        folder = tempfile.TemporaryDirectory(prefix="gatehouse-events-")
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name) / "events"

    def start_gatehouse(self, register, gateways, secret=SECRET, own_register=True, more=""):
        """The program `gatehouse` with gateways [(listen, start_port)] and `more` lines in each; returns it."""
        text = f'[register]\nlisten = "text://{register}"\nsecret_key = "{secret}"\n' if own_register else ""
        for number, (listen, start_port) in enumerate(gateways):
            text += (f'[[gateway]]\nname = "gateway{number}"\nlisten = "{listen}"\nstart_port = {start_port}\n'
                     f'register = ["{register}"]\nsecret_key = "{secret}"\n{more}')
        folder = tempfile.TemporaryDirectory(prefix="gatehouse-config-")
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "gatehouse.toml"
        path.write_text(text)
        return self.start("gatehouse", "-c", path)

    def start_php_worker(self, register, gateways, name="php", secret=SECRET):
        """Returns the worker, and its event log when it has joined that many gateways."""
        log = self.event_log()
        worker = self.php("worker.php", register, name, secret, log)
        wait_until(lambda: len(events(log, "joined")) == gateways, what=f"a PHP worker at {gateways} gateways")
        return worker, log

    def start_native_worker(self, register, secret=SECRET):
        log = self.event_log()
        worker = self.start("native_worker", "--register", register, "--secret-key", secret, "--event-log", log)
        return worker, log

    def start_php_gateway(self, register, inner_port, client_port, secret=SECRET):
        gateway = self.php("gateway.php", register, inner_port, client_port, secret)
        wait_until(lambda: is_listening(inner_port), what="gateway.php listens")
        return gateway

    def start_php_register(self, register, secret=SECRET):
        program = self.php("register.php", register, secret)
        wait_until(lambda: is_listening(int(register.split(":")[1])), what="register.php listens")
        return program

    def becomes(self, ask, request, expected):
        """Asks until the answer is the expected one: commands and questions of PHP travel on different connections."""
        end = time.monotonic() + 30
        while True:
            answer = ask(request)
            if "error" not in answer and ordered(answer.get("result")) == expected:
                return
            if time.monotonic() > end:
                self.assertEqual(answer, {"result": expected}, request)
            time.sleep(0.02)


def events(log, kind):
    """The events of one kind that a worker has told to its log."""
    text = log.read_text() if log.exists() else ""
    lines = text[:text.rfind("\n") + 1].splitlines()  # the last one may be half written
    return [event[1:] for event in map(json.loads, lines) if event[0] == kind]


def ordered(value):
    """Lists of names in order, since nobody promises one."""
    if isinstance(value, list):
        return sorted(map(ordered, value), key=json.dumps)
    return {key: ordered(each) for key, each in value.items()} if isinstance(value, dict) else value
