"""The conformance suite against our echo program, and against npm's ws to show that the suite itself is right."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from certificates import make_self_signed  # noqa: E402
from program import ProgramTest  # noqa: E402

LIMITS = ["--max-message", 16 * 1024 * 1024, "--max-fragments", 70000]
# What ws does otherwise than RFC 6455 and RFC 7692 say, all of it beyond Autobahn's cases: it takes lengths that are not in their
# shortest form, calls a length over 2^53 too big even where its highest bit is set, and takes window bits with a leading zero.
WS_DEVIATES = ["G1.4", "G1.5", "G1.6", "G1.7", "G1.8", "G13.12"]


class ConformanceTest(ProgramTest):
    def play(self, port, *options, scheme="ws"):
        result = subprocess.run([sys.executable, HERE / "run.py", f"{scheme}://127.0.0.1:{port}/", *options], capture_output=True, text=True,
                                timeout=240, stdin=subprocess.DEVNULL)
        print(result.stdout.splitlines()[-1] if result.stdout else result.stderr)
        self.assertEqual(result.returncode, 0, result.stdout[-5000:] + result.stderr[-5000:])
        self.assertIn(" 0 failed", result.stdout)
        return result.stdout

    def test_gatehouse(self):
        _, (port,) = self.start_echo("websocket", extra=["--mirror", "--deflate", *LIMITS])
        self.assertIn("517 of Autobahn's 517", self.play(port))

    def test_gatehouse_over_tls(self):
        with tempfile.TemporaryDirectory(prefix="gatehouse-certificates-") as made:
            certificate, key = make_self_signed(pathlib.Path(made), "own", "localhost")
            _, (port,) = self.start_echo("wss", extra=["--mirror", "--deflate", "--tls-cert", certificate, "--tls-key", key, *LIMITS])
            self.assertIn("517 of Autobahn's 517", self.play(port, scheme="wss"))

    def test_gatehouse_with_context_takeover(self):
        _, (port,) = self.start_echo("websocket", extra=["--mirror", "--deflate-context-takeover", *LIMITS])
        self.assertIn("216 of Autobahn's 517", self.play(port, "--context-takeover", "--only", "12.*", "--only", "13.*", "--only", "G12.*",
                                                             "--only", "G13.*", "--only", "G14.*"))

    def test_gatehouse_without_deflate(self):
        """RSV1 means nothing then, whoever offers what; and what no server may take for a list of extensions is refused all the same."""
        _, (port,) = self.start_echo("websocket", extra=["--mirror", *LIMITS])
        self.play(port, "--no-deflate", "--only", "3.*", "--only", "1.1.*", "--only", "G13.*")

    def start_ws(self, *options):
        server = subprocess.Popen(["node", HERE / "ws_server.mjs", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE)
        self.addCleanup(server.wait, 20)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.stdin.close)
        return int(server.stdout.readline())

    def test_ws(self):
        without = [word for id in WS_DEVIATES for word in ("--without", id)]
        self.assertIn("517 of Autobahn's 517", self.play(self.start_ws(), "--late-utf8", *without))
        self.play(self.start_ws("--takeover"), "--context-takeover", "--only", "G14.*")


if __name__ == "__main__":
    unittest.main()
