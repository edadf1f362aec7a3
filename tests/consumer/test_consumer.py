#!/usr/bin/env python3
"""Builds a program out of tree against the installed files: with find_package, with pkg-config, and as the README shows it.

Environment: GATEHOUSE_BUILD_DIR, the build to install; CXX, the compiler that built it.
"""

import os
import re
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = Path(os.environ["GATEHOUSE_BUILD_DIR"])
CXX = os.environ.get("CXX", "g++")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(str(word) for word in command)}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


class ConsumerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.prefix = cls.folder / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        cls.pkg_config_path = next(cls.prefix.glob("lib*/**/pkgconfig"))

    def pkg_config(self, *options, package="gatehouse"):
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.pkg_config_path)}
        return run("pkg-config", *options, package, env=environment).split()

    def assert_runs(self, program):
        """It links and starts, and its command line is the one of Application."""
        self.assertIn("start", run(program, "--help"))

    def assert_pushes(self, program):
        """Nobody listens at port 1, and GatewayClient says so."""
        self.assertRegex(run(program, "127.0.0.1:1"), "not answered: .*127.0.0.1:1.*refused")

    def test_find_package(self):
        build = self.folder / "with_cmake"
        run("cmake", "-S", HERE, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_CXX_COMPILER={CXX}")
        run("cmake", "--build", build)
        self.assert_runs(build / "consumer")
        self.assert_pushes(build / "pusher")

    def test_pkg_config(self):
        for options in (["--cflags", "--libs"], ["--static", "--cflags", "--libs"]):
            with self.subTest(options):
                program = self.folder / "with_pkg_config"
                run(CXX, "-std=c++20", HERE / "main.cc", "-o", program, *self.pkg_config(*options))
                self.assert_runs(program)

    def test_the_client_alone(self):
        program = self.folder / "pusher_with_pkg_config"
        run(CXX, "-std=c++20", HERE / "pusher.cc", "-o", program, *self.pkg_config("--cflags", "--libs", package="gatehouse-client"))
        self.assert_pushes(program)
        names = run("nm", "-C", next(self.prefix.glob("lib*/**/libgatehouse_client.a")))
        self.assertIn("gatehouse::GatewayClient::flush", names)
        for role in ("gatehouse::Register::", "gatehouse::Gateway::", "gatehouse::Application::", "gatehouse::EventDispatcher::"):
            self.assertNotIn(role, names, "nothing of the roles")

    def test_the_tree_may_be_moved(self):
        moved = self.folder / "moved"
        run("cp", "-r", self.prefix, moved)
        environment = {**os.environ, "PKG_CONFIG_PATH": str(moved / self.pkg_config_path.relative_to(self.prefix))}
        variable = run("pkg-config", "--variable=includedir", "gatehouse", env=environment).strip()
        self.assertEqual(Path(variable).resolve(), (moved / "include").resolve())

    def test_a_later_minor_version_is_not_accepted(self):
        source = self.folder / "wants_more"
        source.mkdir()
        (source / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(x LANGUAGES CXX)\nfind_package(gatehouse 0.99 REQUIRED)\n")
        with self.assertRaisesRegex(AssertionError, "compatible"):
            run("cmake", "-S", source, "-B", source / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_CXX_COMPILER={CXX}")

    def test_only_public_headers_are_installed(self):
        installed = {file.relative_to(self.prefix / "include").as_posix() for file in (self.prefix / "include").rglob("*.h")}
        public = {file.relative_to(ROOT / "include").as_posix() for file in (ROOT / "include").rglob("*.h")}
        self.assertEqual(installed, public)

    def test_nothing_installed_names_the_source_tree(self):
        for file in [*self.prefix.rglob("*.cmake"), *self.prefix.rglob("*.pc")]:
            self.assertNotIn(str(ROOT), file.read_text(), file)

    def test_the_program_is_installed_with_its_version(self):
        version = re.search(r"project\(gatehouse VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
        self.assertIn(version, run(self.prefix / "bin/gatehouse", "--version"))
        self.assertEqual(self.pkg_config("--modversion"), [version])

    def test_the_readme_shows_this_very_program(self):
        block = re.search(r"```cpp\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        self.assertEqual(block.group(1), (HERE / "main.cc").read_text())


if __name__ == "__main__":
    unittest.main()
