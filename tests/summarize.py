#!/usr/bin/env python3
"""Counts the test cases in the JUnit files that ctest writes: summarize.py FILE... prints "PASSED FAILED SKIPPED".

One case of ctest is a program that holds several of its own: of a googletest program they are counted by what it says at the end of
its output, of a Python file by what unittest says there. Every other program is one case.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

GOOGLETEST_RAN = re.compile(r"^\[=+\] (\d+) tests? from \d+ test suites? ran", re.MULTILINE)
GOOGLETEST_RESULT = re.compile(r"^\[ +(PASSED|FAILED|SKIPPED) +\] (\d+) tests?[.,]", re.MULTILINE)
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
    if GOOGLETEST_RAN.search(output):
        return count_googletest(output, status == "run")
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


def count_googletest(output, ended_well):
    """(passed, failed, skipped) of a googletest program's output; one that did not end well has at least one failure."""
    numbers = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
    for word, number in GOOGLETEST_RESULT.findall(output):
        numbers[word] = int(number)
    failed = numbers["FAILED"] if ended_well else max(numbers["FAILED"], 1)  # a leak found at the exit is no case's failure
    return numbers["PASSED"], failed, numbers["SKIPPED"]


def count_file(file):
    counts = [count_case(case) for case in ElementTree.parse(file).getroot().iter("testcase")]
    return tuple(sum(column) for column in zip(*counts)) or (0, 0, 0)


if __name__ == "__main__":
    print(*(sum(column) for column in zip(*map(count_file, sys.argv[1:]))))
