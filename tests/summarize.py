#!/usr/bin/env python3
"""Counts the test cases in the JUnit files that ctest writes: summarize.py FILE... prints "PASSED FAILED SKIPPED".

A googletest case is one case of ctest. A Python file is one case of ctest too, but holds several of its own; they are counted by
what unittest says at the end of its output.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

RAN = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)
RESULT = re.compile(r"^(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?\s*$", re.MULTILINE)


def count_case(case):
    """(passed, failed, skipped) of one <testcase> element."""
    status = case.get("status")
    if status == "disabled":
        return 0, 0, 1
    if status == "notrun":
        # ctest says "skipped" of a test that asked for it, and of a program that is not there.
        asked = case.find("skipped").get("message", "").startswith("SKIP_")
        return (0, 0, 1) if asked else (0, 1, 0)
    output = case.findtext("system-out") or ""
    ran = RAN.findall(output)
    result = RESULT.findall(output)
    if not ran or not result:
        return (1, 0, 0) if status == "run" else (0, 1, 0)
    words = {word.strip(): int(number) for word, number in re.findall(r"([a-z ]+)=(\d+)", result[-1])}
    failed = words.get("failures", 0) + words.get("errors", 0) + words.get("unexpected successes", 0)
    if status != "run":
        failed = max(failed, 1)  # also a crash after unittest had ended
    skipped = words.get("skipped", 0)
    return max(int(ran[-1]) - failed - skipped, 0), failed, skipped


def count_file(file):
    counts = [count_case(case) for case in ElementTree.parse(file).getroot().iter("testcase")]
    return tuple(sum(column) for column in zip(*counts)) or (0, 0, 0)


if __name__ == "__main__":
    print(*(sum(column) for column in zip(*map(count_file, sys.argv[1:]))))
