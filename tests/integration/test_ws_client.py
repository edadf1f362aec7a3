"""npm's ws as a client (ws_client.mjs)."""
import pathlib
import subprocess
import unittest

from program import ProgramTest

HERE = pathlib.Path(__file__).parent


class WsClientTest(ProgramTest):
    def test_ws(self):
        _, (port,) = self.start_echo("websocket", extra=["--mirror"])
        result = subprocess.run(["node", HERE / "ws_client.mjs", f"ws://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=120,
                                stdin=subprocess.DEVNULL, cwd=HERE)
        self.assertEqual(result.stdout.strip(), "OK", result.stdout + result.stderr)
        self.assertEqual(result.returncode, 0)


if __name__ == "__main__":
    unittest.main()
