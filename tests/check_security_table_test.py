#!/usr/bin/env python3
"""Shows that check_security_table.py finds what it is to find."""
import pathlib
import tempfile
import unittest

from check_security_table import problems

TABLE = """# Security

## Incidents, and the tests that own them

| class | what happens here | tests |
|---|---|---|
| one | Nothing | {tests} |

## What a fresh install withstands

| what | number | held by |
|---|---|---|
| two | 2 | {defaults} |

## Limits
"""


class CheckSecurityTableTest(unittest.TestCase):
    def problems(self, tests, defaults="`Suite.Name`"):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in {"docs/security.md": TABLE.format(tests=tests, defaults=defaults), "src/a/a_test.cc": "TEST(Suite, Name) {\n}\nTEST_F(Other, Name) {}\n",
                               "tests/integration/test_x.py": "    def test_y(self):\n", "fuzz/fuzz_z.cc": ""}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
            return problems(root)

    def test_what_exists(self):
        for name in ("Suite.Name", "Suite.*", "Oth*", "Other.Na*", "test_x.py", "test_x.py: test_y", "fuzz/", "fuzz/fuzz_z"):
            self.assertEqual(self.problems(f"`{name}`"), [], name)

    def test_what_does_not(self):
        for name in ("Suite.Missing", "Missing.*", "Miss*", "test_z.py", "test_x.py: test_z", "fuzz/fuzz_y"):
            self.assertEqual(len(self.problems(f"`Suite.Name`, `{name}`")), 1, name)

    def test_a_default_without_a_test(self):
        self.assertEqual(self.problems("`Suite.Name`", "none"), ['"two" names no test'])
        self.assertEqual(len(self.problems("`Suite.Name`", "`Suite.Missing`")), 1)

    def test_a_row_without_a_test(self):
        self.assertEqual(self.problems("1.2.3 to 1.2.5"), ['"one" names no test'])


if __name__ == "__main__":
    unittest.main()
