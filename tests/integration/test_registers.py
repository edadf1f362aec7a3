"""A register made redundant: two of them, of which one may be away at any time."""
import json
import subprocess
import tempfile
import unittest

from program import BIN, LineClient, ProgramTest, free_ports, wait_until


class RegistersTest(ProgramTest):
    def start_gatehouse(self, text):
        file = tempfile.NamedTemporaryFile("w", suffix=".toml")  # pylint: disable=consider-using-with
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        return self.start("gatehouse", "-c", file.name)

    def clients(self, *registers):
        """How many clients those see who know these registers; None when nobody answers."""
        command = [BIN / "gatehouse", "call", "client_count", "--json", "--timeout", "5s"]
        for port in registers:
            command += ["--register", f"127.0.0.1:{port}"]
        result = subprocess.run(command, capture_output=True, timeout=60)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def test_one_of_two_may_be_away(self):
        a, b, public_1, public_2, inner_1, inner_2 = free_ports(6)

        def gateway(name, public, inner):
            return (f'[[gateway]]\nname = "{name}"\nlisten = "text://127.0.0.1:{public}"\nstart_port = {inner}\n'
                    f'register = ["127.0.0.1:{a}", "127.0.0.1:{b}"]\nno_worker_timeout = "60s"\n')

        self.start_gatehouse(f'[register]\nlisten = "text://127.0.0.1:{a}"\n' + gateway("one", public_1, inner_1))
        second = self.start_gatehouse(f'[register]\nlisten = "text://127.0.0.1:{b}"\n')
        with LineClient(public_1):
            for registers in ((a,), (b,), (a, b)):
                wait_until(lambda: self.clients(*registers) == 1, what=f"one client by way of {registers}")
            second.stop()
            self.assertEqual(self.clients(a, b), 1)
            # A gateway that comes while a register is away is known to the other one, and to both when it is back.
            self.start_gatehouse(gateway("two", public_2, inner_2))
            with LineClient(public_2):
                wait_until(lambda: self.clients(a, b) == 2, what="both gateways by way of the register that is there")
                second.start_again()
                wait_until(lambda: self.clients(b) == 2, what="both gateways by way of the register that is back")
                self.assertEqual(self.clients(a, b), 2, "a gateway that two registers name is asked once")


if __name__ == "__main__":
    unittest.main()
