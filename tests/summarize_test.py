#!/usr/bin/env python3
"""summarize.py against what ctest 3.25 writes."""

import unittest
import xml.etree.ElementTree as ElementTree

from summarize import count_case


def case(status, output="", inner=""):
    return ElementTree.fromstring(f'<testcase name="x" status="{status}">{inner}<system-out>{output}</system-out></testcase>')


def unittest_output(ran, result):
    return f"....\n----------\nRan {ran} tests in 0.010s\n\n{result}\n"


class SummarizeTest(unittest.TestCase):
    def test_a_program_without_cases(self):
        self.assertEqual(count_case(case("run", "fine")), (1, 0, 0))
        self.assertEqual(count_case(case("fail", "not fine", '<failure message=""/>')), (0, 1, 0))

    def test_a_googletest_program(self):
        ran = "[==========] 9 tests from 2 test suites ran. (5 ms total)\n"
        self.assertEqual(count_case(case("run", ran + "[  PASSED  ] 9 tests.\n")), (9, 0, 0))
        self.assertEqual(count_case(case("run", ran + "[  PASSED  ] 8 tests.\n[  SKIPPED ] 1 test, listed below:\n")), (8, 0, 1))
        failed = "[  PASSED  ] 7 tests.\n[  FAILED  ] 2 tests, listed below:\n[  FAILED  ] A.b\n[  FAILED  ] A.c\n 2 FAILED TESTS\n"
        self.assertEqual(count_case(case("fail", ran + failed)), (7, 2, 0))

    def test_a_googletest_program_that_crashed_or_leaked(self):
        self.assertEqual(count_case(case("fail", "Running main()\nSegmentation fault")), (0, 1, 0))
        ran = "[==========] 9 tests from 2 test suites ran. (5 ms total)\n[  PASSED  ] 9 tests.\n"
        self.assertEqual(count_case(case("fail", ran + "LeakSanitizer: detected memory leaks")), (9, 1, 0))

    def test_a_skipped_program(self):
        skipped = '<skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>'
        self.assertEqual(count_case(case("notrun", "[  SKIPPED ] A.b", skipped)), (0, 0, 1))
        self.assertEqual(count_case(case("disabled", "Disabled")), (0, 0, 1))

    def test_a_program_that_is_not_there_has_failed(self):
        missing = '<skipped message="Unable to find executable"/>'
        self.assertEqual(count_case(case("notrun", "Unable to find executable: x", missing)), (0, 1, 0))

    def test_a_python_file(self):
        self.assertEqual(count_case(case("run", unittest_output(13, "OK"))), (13, 0, 0))
        self.assertEqual(count_case(case("run", unittest_output(13, "OK (skipped=2)"))), (11, 0, 2))
        self.assertEqual(count_case(case("fail", unittest_output(13, "FAILED (failures=2, errors=1, skipped=1)"))), (9, 3, 1))
        self.assertEqual(count_case(case("fail", unittest_output(5, "FAILED (unexpected successes=1)"))), (4, 1, 0))

    def test_a_python_file_that_crashed_or_hung(self):
        self.assertEqual(count_case(case("fail", "Traceback (most recent call last):")), (0, 1, 0))
        self.assertEqual(count_case(case("fail", unittest_output(3, "OK"))), (2, 1, 0))


if __name__ == "__main__":
    unittest.main()
