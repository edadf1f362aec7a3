#!/usr/bin/env python3
"""Holds docs/security.md against the tests that it names: each class of incident, and each default, names at least one test, each setting of the table
of limits has a counter that the gateway has, and every test that is named exists.

    check_security_table.py [ROOT]
"""
import pathlib
import re
import sys

# The tables whose last column names tests.
TABLES = ("Incidents, and the tests that own them", "What a fresh install withstands")
# How a test is named in them.
UNIT = re.compile(r"^[A-Z]\w*(?:\.[A-Za-z]\w*)?(?:\*|\.\*)?$")
INTEGRATION = re.compile(r"^(test_\w+\.py)(?:: (test_\w+))?$")
SCRIPT = re.compile(r"^(?:fuzz/(?:fuzz_\w+)?|tests/[\w./]+)$")


def unit_tests(root):
    """SUITE.NAME of every test in the sources."""
    names = set()
    for folder in ("src", "tests", "examples"):
        for path in (root / folder).rglob("*_test.cc"):
            text = path.read_text(encoding="utf-8")
            names.update(f"{suite}.{name}" for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", text, re.MULTILINE))
    return names


def fits(name, tests):
    """`Loop*` and `Loop.*` are all that begin so."""
    if name.endswith("*"):
        return any(test.startswith(name[:-1]) for test in tests)
    return name in tests


def rows(text, heading):
    """The cells of the first table behind a heading, without its head."""
    part = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def problems(root):
    text = (root / "docs" / "security.md").read_text(encoding="utf-8")
    tests = unit_tests(root)
    found = []
    for cells in [row for heading in TABLES for row in rows(text, heading)]:
        names = re.findall(r"`([^`]+)`", cells[-1])
        if not names:
            found.append(f"\"{cells[0]}\" names no test")
        for name in names:
            integration = INTEGRATION.match(name)
            if UNIT.match(name):
                exists = fits(name, tests)
            elif integration:
                path = root / "tests" / "integration" / integration[1]
                exists = path.exists() and (integration[2] is None or f"def {integration[2]}(" in path.read_text(encoding="utf-8"))
            else:
                exists = SCRIPT.match(name) is not None and (list(root.glob(f"{name}.*")) or (root / name).exists())
            if not exists:
                found.append(f"\"{cells[0]}\" names {name}, which is no test")
    return found


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1]
    found = problems(root)
    for problem in found:
        print(f"docs/security.md: {problem}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
