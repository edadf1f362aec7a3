#!/usr/bin/env python3
"""Builds programs out of tree against the installed files: with find_package, with pkg-config, and as the README shows it; with the
compilers and the levels of optimisation that users have, and lives a life with each. And programs that must not compile.

Environment: GATEHOUSE_BUILD_DIR, the build to install; CXX, the compiler that built it; GATEHOUSE_BUILD_TYPE, as CMake calls it: what
is linked against an archive of a Debug build is fewer programs, since its debug information makes each link take seconds.
"""

import concurrent.futures
import os
import re
import resource
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from cluster_life import live

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = Path(os.environ["GATEHOUSE_BUILD_DIR"])
CXX = os.environ.get("CXX", "g++")
# g++ and, where there is one, clang++.
COMPILERS = ["g++", *filter(None, [shutil.which("clang++-19") or shutil.which("clang++")])]
JOBS = 2  # ctest runs other tests beside this one
# What CMake's build types do not bring: -O0 (Debug), -O3 (Release), -O2 (RelWithDebInfo) and -Os (MinSizeRel).
IS_DEBUG = os.environ.get("GATEHOUSE_BUILD_TYPE") == "Debug"
FURTHER_LEVELS = ("-O1",) if IS_DEBUG else ("-Og", "-O1")
BUILD_TYPES = ("Debug",) if IS_DEBUG else ("Debug", "Release", "RelWithDebInfo", "MinSizeRel")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(str(word) for word in command)}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def in_parallel(function, items):
    """[function(item)...], or the first thing that one of them throws."""
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(function, items))


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

    def archives(self):
        return sorted(self.prefix.glob("lib*/**/libgatehouse*.a"))

    def assert_runs(self, program):
        """It links and starts, and its command line is the one of Application."""
        self.assertIn("start", run(program, "--help"))

    def assert_pushes(self, program):
        """Nobody listens at port 1, and GatewayClient says so."""
        self.assertRegex(run(program, "127.0.0.1:1"), "not answered: .*127.0.0.1:1.*refused")

    def built_with_cmake(self, compiler):
        """Folders with life and pusher of each of CMake's build types; in the first one consumer, too."""
        build = self.folder / f"with_cmake_{Path(compiler).name}"
        run("cmake", "-S", HERE, "-B", build, "-G", "Ninja Multi-Config", f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCMAKE_CONFIGURATION_TYPES={';'.join(BUILD_TYPES)}", "-DCMAKE_CROSS_CONFIGS=all")
        run("ninja", "-C", build, "-f", f"build-{BUILD_TYPES[0]}.ninja", "-j", JOBS, "life:all", "pusher:all",
            f"consumer:{BUILD_TYPES[0]}")
        return [build / each for each in BUILD_TYPES]

    def built_with_pkg_config(self, compiler, level):
        folder = self.folder / f"with_pkg_config_{Path(compiler).name}{level}"
        folder.mkdir()
        for source, package in (("life", "gatehouse"), ("pusher", "gatehouse-client")):
            run(compiler, "-std=c++20", level, HERE / f"{source}.cc", "-o", folder / source, *self.pkg_config("--cflags", "--libs", package=package))
        return folder

    def test_lives_with_every_compiler_and_level_of_optimisation(self):
        """A group send, a death of a worker with a message unfinished, a reload, a push of a GatewayClient."""
        folders = [folder for compiler in COMPILERS for folder in self.built_with_cmake(compiler)]
        folders += in_parallel(lambda wanted: self.built_with_pkg_config(*wanted), [(c, level) for c in COMPILERS for level in FURTHER_LEVELS])
        for folder in folders:
            if (folder / "consumer").exists():
                self.assert_runs(folder / "consumer")
        self.assert_pushes(folders[0] / "pusher")
        in_parallel(lambda folder: live(folder / "life", folder / "pusher"), folders)

    def test_as_the_readme_shows_it(self):
        for options in (["--cflags", "--libs"], ["--static", "--cflags", "--libs"]):
            with self.subTest(options):
                program = self.folder / "with_pkg_config"
                run(CXX, "-std=c++20", HERE / "main.cc", "-o", program, *self.pkg_config(*options))
                self.assert_runs(program)

    @unittest.skipIf(IS_DEBUG, "the debug information is what takes longer then")
    def test_a_link_optimises_nothing(self):
        """By the CPU, not by the clock: half a second on a quiet machine, two or three times that on a busy one. Compiling the library
        again took 42 s."""
        compiled = self.folder / "main.o"
        run(CXX, "-std=c++20", "-c", HERE / "main.cc", "-o", compiled, *self.pkg_config("--cflags"))

        def link():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run(CXX, compiled, "-o", self.folder / "linked", *self.pkg_config("--libs"))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        self.assertLess(min(link() for _ in range(3)), 5)

    def test_the_archives_are_plain_machine_code(self):
        self.assertEqual([archive.name for archive in self.archives()], ["libgatehouse.a", "libgatehouse_client.a"])
        for archive in self.archives():
            sections = run("readelf", "--section-headers", "--wide", archive)
            self.assertIn(" .text", sections)
            self.assertNotIn(".gnu.lto", sections, f"{archive.name}: every link of a user would compile the library again")

    def test_what_must_not_compile(self):
        """Each program of must_not_compile is refused with the words of its first line; as it should be, it is not."""
        flags = ["-std=c++20", *self.pkg_config("--cflags")]
        sources = sorted((HERE / "must_not_compile").glob("*.cc"))
        self.assertGreater(len(sources), 5)
        # All that are right in one compilation, each in a namespace of its own.
        headers = sorted({line for source in sources for line in source.read_text().splitlines() if line.startswith("#include ")})
        right = self.folder / "right.cc"
        right.write_text("\n".join([*headers, *(f'namespace {source.stem} {{\n#include "{source}"\n}}' for source in sources), ""]))

        def compile_one(wanted):
            compiler, source = wanted
            if source == right:
                return run(compiler, *flags, "-c", right, "-o", os.devnull)
            done = subprocess.run([compiler, *flags, "-DWRONG", "-c", source, "-o", os.devnull], capture_output=True, text=True)
            expected = source.read_text().splitlines()[0].removeprefix("// expected: ")
            self.assertNotEqual(done.returncode, 0, f"{source.name} compiles with {compiler}")
            self.assertRegex(done.stderr, f"error: .*({expected})", f"{source.name} with {compiler}")
            return None

        in_parallel(compile_one, [(compiler, source) for compiler in COMPILERS for source in [right, *sources]])

    def test_cmake_brings_the_errors_too_and_a_target_may_do_without(self):
        source = self.folder / "wrong"
        source.mkdir()
        wrong = HERE / "must_not_compile/task_not_awaited.cc"
        (source / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(x LANGUAGES CXX)\nfind_package(gatehouse REQUIRED)\n"
            f"add_library(wrong OBJECT {wrong})\ntarget_compile_definitions(wrong PRIVATE WRONG)\n"
            "target_link_libraries(wrong gatehouse::gatehouse)\n"
            "if(WITHOUT)\n  set_target_properties(wrong PROPERTIES GATEHOUSE_WARNINGS_ONLY ON)\nendif()\n")
        for without in (False, True):
            build = source / f"build-{without}"
            run("cmake", "-G", "Ninja", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_CXX_COMPILER={CXX}",
                f"-DWITHOUT={without}")
            if without:
                self.assertRegex(run("cmake", "--build", build), "warning: .*unused-result")
            else:
                with self.assertRaisesRegex(AssertionError, "error: .*unused-result"):
                    run("cmake", "--build", build)

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
