#!/usr/bin/env python3
"""A page X.zh.md has what X.md has: the same headings by their depth, the same code but for its comments, and the same names in its
tables. Words cannot be compared; these are what somebody copies."""
import re
import sys
import unittest
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def without_comments(line):
    # What is two blanks behind a command explains it.
    return re.sub(r"(\s+(#|//) .*| {2,}\S.*)$", "", line.rstrip()) if line.strip() else ""


def outline(text):
    """The depths of the headings, the lines of code, and how often each `name` stands in a table."""
    depths, code, names = [], [], Counter()
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            code.append(without_comments(line if fenced else line[4:]))
        elif line.startswith("#"):
            depths.append(len(line) - len(line.lstrip("#")))
        elif line.startswith("|"):
            names.update(re.findall(r"`([^`]+)`", line))
    return depths, code, names


def differences(page, translation):
    here, there = outline(page), outline(translation)
    found = []
    if here[0] != there[0]:
        found.append(f"headings: {here[0]} and {there[0]}")
    found += [f"code: {a!r} and {b!r}" for a, b in zip(here[1], there[1]) if a != b]
    if len(here[1]) != len(there[1]):
        found.append(f"lines of code: {len(here[1])} and {len(there[1])}")
    for name in (here[2] - there[2]) + (there[2] - here[2]):
        found.append(f"`{name}` stands {here[2][name]} and {there[2][name]} times in tables")
    return found


class TranslationsTest(unittest.TestCase):
    PAGE = "# A\n\n    ./run     starts it\n\n```toml\ncount = 2   # processes\n```\n## B\n| `a`, `b` | x |\n"

    def test_pages(self):
        pages = [page for folder in (ROOT, ROOT / "docs", ROOT / "examples") for page in folder.glob("*.zh.md")]
        self.assertGreaterEqual(len(pages), 2)
        for page in pages:
            original = page.with_name(page.name.replace(".zh.md", ".md"))
            self.assertEqual(differences(original.read_text(), page.read_text()), [], page.name)

    def test_finds_what_differs(self):
        self.assertEqual(differences(self.PAGE, self.PAGE.replace("starts it", "启动").replace("# processes", "# 进程")), [])
        for old, new in (("./run", "./go"), ("count = 2", "count = 3"), ("## B", "### B"), ("`b`", "b"), ("```toml\n", "```toml\nname = 1\n")):
            self.assertNotEqual(differences(self.PAGE, self.PAGE.replace(old, new)), [], new)


if __name__ == "__main__":
    sys.exit(unittest.main())
