#!/usr/bin/env python3
"""check_floors.py finds what it is there to find: each test puts one wrong line into a small, right house."""

import tempfile
import unittest
from pathlib import Path

import check_floors

HOUSE = {
    "src/CMakeLists.txt": "foreach(floor base wire net gateway worker)\n  add_subdirectory(${floor})\nendforeach()\n",
    "src/base/CMakeLists.txt": "gatehouse_floor(base\n  LIBRARIES fmt::fmt)\n",
    "src/wire/CMakeLists.txt": "gatehouse_floor(wire\n  DEPENDS base\n  LIBRARIES fmt::fmt)\n",
    "src/net/CMakeLists.txt": "gatehouse_floor(net\n  DEPENDS base)\n",
    "src/gateway/CMakeLists.txt": "gatehouse_floor(gateway DEPENDS net wire base)\n",
    "src/worker/CMakeLists.txt": "gatehouse_floor(worker DEPENDS net wire base)\n",
    "src/base/bytes.h": "#include <cstdint>\n",
    "src/wire/frame.h": '#include <string>\n#include "base/bytes.h"\n#include "base/version.h"\n',
    "src/wire/frame_test.cc": "#include <chrono>\n",
    "src/net/loop.h": '#include <sys/socket.h>\n#include "base/bytes.h"\n',
    "src/gateway/gateway.h": '#include <gatehouse/events.h>\n#include "net/loop.h"\n#include "wire/frame.h"\n',
    "src/worker/worker.h": '#include "net/loop.h"\n',
    "include/gatehouse/events.h": "#include <string>\n#include <nlohmann/json.hpp>\n#include <gatehouse/value.h>\n",
    "include/gatehouse/value.h": "#include <map>\n",
    "examples/chat/main.cc": '#include <gatehouse/events.h>\n#include <httplib.h>\n#include "room.h"\n',
    "examples/chat/room.h": "#include <string>\n",
}


class CheckFloorsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name, text in HOUSE.items():
            self.write(name, text)

    def write(self, name, text):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def assert_refused(self, name, text, line, rule):
        self.write(name, text)
        found = check_floors.check(self.root)
        self.assertEqual([(str(file), number) for file, number, _ in found], [(name, line)], found)
        self.assertIn(rule, found[0][2])

    def test_a_right_house_is_accepted(self):
        self.assertEqual(check_floors.check(self.root), [])

    def test_a_floor_that_is_not_named(self):
        self.assert_refused("src/net/x.cc", '#include "base/bytes.h"\n#include "wire/frame.h"\n', 2, "may include only base, net")

    def test_a_role_includes_another(self):
        self.assert_refused("src/gateway/x.cc", '#include "worker/worker.h"\n', 1, "may include only")

    def test_what_only_tests_may_include(self):
        self.write("src/worker/CMakeLists.txt", "gatehouse_floor(worker\n  DEPENDS net wire base\n  TEST_DEPENDS gateway\n  LIBRARIES x)\n")
        self.write("src/worker/worker_test.cc", '#include "worker/worker.h"\n#include "gateway/gateway.h"\n')
        self.assertEqual(check_floors.check(self.root), [])
        self.assert_refused("src/worker/x.cc", '#include "gateway/gateway.h"\n', 1, "may include only")

    def test_a_floor_named_that_stands_above(self):
        self.assert_refused("src/net/CMakeLists.txt", "gatehouse_floor(net DEPENDS base gateway)\n", 1, "does not stand below")

    def test_a_folder_that_is_no_floor(self):
        self.write("src/extra/x.h", "")
        found = check_floors.check(self.root)
        self.assertEqual([str(file) for file, _, _ in found], ["src/extra"])

    def test_socket_headers_in_wire(self):
        for header in ("sys/socket.h", "netinet/in.h", "unistd.h", "sys/epoll.h", "arpa/inet.h"):
            with self.subTest(header):
                self.assert_refused("src/wire/x.h", f"#include <{header}>\n", 1, "never includes a socket header")

    def test_a_clock_in_wire(self):
        self.assert_refused("src/wire/x.h", "#pragma once\n\n#include <chrono>\n", 3, "no clock")

    def test_an_include_without_its_floor(self):
        self.assert_refused("src/wire/x.cc", '#include "frame.h"\n', 1, "named from src/ on")

    def test_an_include_that_does_not_exist(self):
        self.assert_refused("src/wire/x.cc", '#include "wire/gone.h"\n', 1, "does not exist")

    def test_a_source_that_does_not_begin_with_its_header(self):
        self.assert_refused("src/net/loop.cc", '\n#include <string>\n#include "net/loop.h"\n', 2, '"net/loop.h" comes first')

    def test_a_public_header_in_quotes(self):
        self.assert_refused("src/gateway/x.cc", '#include "gatehouse/events.h"\n', 1, "<gatehouse/events.h>")

    def test_a_public_header_that_includes_src(self):
        self.assert_refused("include/gatehouse/x.h", '#include "wire/frame.h"\n', 1, "nothing of src/")

    def test_a_public_header_that_includes_a_library(self):
        for header in ("fmt/format.h", "sys/socket.h", "unistd.h", "tl/expected.hpp"):
            with self.subTest(header):
                self.assert_refused("include/gatehouse/x.h", f"#include <{header}>\n", 1, "only <gatehouse/...>")

    def test_an_example_that_includes_src(self):
        for line in ('#include "wire/frame.h"', "#include <wire/frame.h>", '#include "../../src/wire/frame.h"', '#include "base/version.h"'):
            with self.subTest(line):
                self.assert_refused("examples/chat/x.cc", line + "\n", 1, "may include only")


if __name__ == "__main__":
    unittest.main()
