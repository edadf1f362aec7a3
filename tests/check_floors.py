#!/usr/bin/env python3
"""Holds every #include against the floors of the house (ARCHITECTURE.md, "Floors").

check_floors.py [ROOT] prints each broken rule as FILE:LINE: RULE and exits with 1 when there is one.
"""

import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
SOCKET_HEADERS = re.compile(r"(sys|net|netinet|arpa|linux)/.*|(unistd|netdb|poll|fcntl)\.h")
CLOCK_HEADERS = {"chrono", "ctime", "time.h"}
STANDARD_HEADER = re.compile(r"[a-z_]+")
# Made by CMake from src/base/version.h.in.
GENERATED = {"base/version.h"}


def read_floors(root):
    """The floors of src/ in order, lowest first, each with those that its CMakeLists.txt names in DEPENDS."""
    text = (root / "src/CMakeLists.txt").read_text()
    order = re.search(r"foreach\(\s*floor\s+([\w\s]+)\)", text).group(1).split()
    floors = {}
    for name in order:
        file = root / "src" / name / "CMakeLists.txt"
        if file.exists():
            floors[name] = read_list(file, "DEPENDS")
    return order, floors


def read_list(file, keyword):
    """The floors behind `keyword` in a CMakeLists.txt."""
    found = re.search(rf"\b{keyword}\b([\w\s]*?)(?:\bLIBRARIES\b|\bTEST_DEPENDS\b|\))", file.read_text())
    return found.group(1).split() if found else []


def includes(file):
    """(line number, path, quoted) of every include line."""
    for number, line in enumerate(file.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) or match.group(2), match.group(1) is not None


def sources(folder):
    return sorted(file for file in folder.rglob("*") if file.suffix in (".h", ".cc")) if folder.is_dir() else []


def check_order(root, order, floors, report):
    for name, depends in floors.items():
        for other in depends + read_list(root / "src" / name / "CMakeLists.txt", "TEST_DEPENDS"):
            if other not in order or order.index(other) >= order.index(name):
                report(root / "src" / name / "CMakeLists.txt", 1, f"{name} DEPENDS on {other}, which does not stand below it")
    for folder in sorted((root / "src").iterdir()):
        if folder.is_dir() and folder.name not in floors and sources(folder):
            report(folder, 1, "a folder of src/ is a floor: name it in src/CMakeLists.txt and give it a CMakeLists.txt")


def check_floor(root, name, depends, report):
    test_depends = read_list(root / "src" / name / "CMakeLists.txt", "TEST_DEPENDS")
    for file in sources(root / "src" / name):
        allowed = {name, *depends, *(test_depends if file.name.endswith("_test.cc") else [])}
        own_header = file.with_suffix(".h")
        first = next(includes(file), None)
        if file.suffix == ".cc" and own_header.exists() and (first is None or first[1] != f"{name}/{own_header.name}"):
            report(file, first[0] if first else 1, f'"{name}/{own_header.name}" comes first, which shows that it compiles alone')
        for line, path, quoted in includes(file):
            floor = path.split("/")[0]
            if quoted and floor == "gatehouse":
                report(file, line, f'public headers are included as <{path}>')
            elif quoted and "/" not in path:
                report(file, line, f'"{path}" is to be named from src/ on, as "{name}/{path}"')
            elif quoted and floor not in allowed:
                report(file, line, f'"{path}": {name} may include only {", ".join(sorted(allowed))} (DEPENDS in its CMakeLists.txt)')
            elif quoted and path not in GENERATED and not (root / "src" / path).exists():
                report(file, line, f'"{path}" does not exist in src/')
            elif not quoted and path.startswith("gatehouse/") and not (root / "include" / path).exists():
                report(file, line, f"<{path}> does not exist in include/")
            elif not quoted and name == "wire" and SOCKET_HEADERS.fullmatch(path):
                report(file, line, f"<{path}>: wire is bytes in, messages out, and never includes a socket header")
            elif not quoted and name == "wire" and path in CLOCK_HEADERS and not file.name.endswith("_test.cc"):
                report(file, line, f"<{path}>: wire has no clock; whoever calls it has one")


def check_public(root, report):
    for file in sources(root / "include"):
        for line, path, quoted in includes(file):
            if quoted:
                report(file, line, f'"{path}": public headers include each other as <gatehouse/...> and nothing of src/')
            elif path.startswith("gatehouse/"):
                if not (root / "include" / path).exists():
                    report(file, line, f"<{path}> does not exist in include/")
            elif path != "nlohmann/json.hpp" and not STANDARD_HEADER.fullmatch(path):
                report(file, line, f"<{path}>: public headers include only <gatehouse/...>, <nlohmann/json.hpp> and the standard library")


def check_users(root, folder, report):
    """Examples stand for users: of the project they see the public headers only."""
    for file in sources(root / folder):
        for line, path, _ in includes(file):
            if ".." in path.split("/") or (root / "src" / path).exists() or path in GENERATED:
                report(file, line, f"{path}: {folder} may include only <gatehouse/...>, other libraries and its own files")


def check(root):
    """Every broken rule, as (file, line, rule)."""
    found = []

    def report(file, line, rule):
        found.append((file.relative_to(root), line, rule))

    order, floors = read_floors(root)
    check_order(root, order, floors, report)
    for name, depends in floors.items():
        check_floor(root, name, depends, report)
    check_public(root, report)
    check_users(root, "examples", report)
    check_users(root, "tests/consumer", report)
    return found


def main():
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = check(root)
    for file, line, rule in found:
        print(f"{file}:{line}: {rule}")
    if not found:
        _, floors = read_floors(root)
        print(f"{len(floors)} floors, every include stays below")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
