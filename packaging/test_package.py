#!/usr/bin/env python3
"""Installs the Debian package of a build folder, starts what it brings, and removes it again. As root, where that may be tried:

    packaging/test_package.py build/package
"""
import grp
import json
import pathlib
import pwd
import stat
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "build/package")
CONFIG = pathlib.Path("/etc/gatehouse/gatehouse.toml")
OPTIONS = ["-c", str(CONFIG)]


def run(*words, check=True):
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, words))}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result


def has_user():
    try:
        return pwd.getpwnam("gatehouse") is not None
    except KeyError:
        return False


class PackageTest(unittest.TestCase):
    def setUp(self):
        found = sorted(BUILD.glob("gatehouse_*.deb"))
        self.assertEqual(len(found), 1, f"packages in {BUILD}")
        self.package = found[0]
        self.assertFalse(CONFIG.exists(), "it is installed here; this test would purge it")
        self.addCleanup(run, "dpkg", "--purge", "gatehouse", check=False)

    def check_rights(self):
        """The configuration may hold a secret: root writes it, the service reads it, and nobody else does."""
        about = CONFIG.stat()
        self.assertEqual((about.st_uid, about.st_gid), (0, grp.getgrnam("gatehouse").gr_gid))
        self.assertEqual(stat.S_IMODE(about.st_mode), 0o640)
        run("runuser", "-u", "gatehouse", "--", "gatehouse", "check", *OPTIONS)
        self.assertNotEqual(run("runuser", "-u", "nobody", "--", "cat", CONFIG, check=False).returncode, 0)

    def test_the_archives_are_plain_machine_code(self):
        """Bytecode of the compiler in them would have every link of a user compile the library again."""
        (package,) = BUILD.glob("libgatehouse-dev_*.deb")
        with tempfile.TemporaryDirectory() as folder:
            run("dpkg-deb", "-x", package, folder)
            archives = sorted(pathlib.Path(folder).rglob("*.a"))
            self.assertEqual(len(archives), 2, archives)
            for archive in archives:
                self.assertNotIn(".gnu.lto", run("readelf", "--section-headers", "--wide", archive).stdout, archive.name)

    def test_life(self):
        run("dpkg", "-i", self.package)
        self.assertTrue(has_user())
        self.check_rights()
        run("gatehouse", "check", *OPTIONS)
        if pathlib.Path("/run/systemd/system").is_dir():
            self.assertEqual(run("systemctl", "is-active", "gatehouse").stdout.strip(), "active")
            run("systemctl", "restart", "gatehouse")
            run("gatehouse", "status", *OPTIONS)
        else:
            directory = tempfile.TemporaryDirectory()
            self.addCleanup(directory.cleanup)
            there = ["--run-dir", directory.name]
            run("gatehouse", "start", "-d", "--user", "gatehouse", *there, *OPTIONS)
            uid = pwd.getpwnam("gatehouse").pw_uid
            children = run("pgrep", "-u", uid, "-f", "^gatehouse: ").stdout.split()
            self.assertEqual(len(children), 3, "a register and two gateways")
            run("gatehouse", "status", *there, *OPTIONS)
            run("gatehouse", "stop", *there, *OPTIONS)

        uid = pwd.getpwnam("gatehouse").pw_uid
        # An upgrade keeps what was changed in the configuration.
        CONFIG.write_text(CONFIG.read_text() + "# changed\n")
        run("dpkg", "-i", "--force-confold", self.package)
        self.assertIn("# changed", CONFIG.read_text())
        self.check_rights()

        master = None
        if not pathlib.Path("/run/systemd/system").is_dir():
            # In a run directory that the package knows nothing of.
            run("gatehouse", "start", "-d", "--user", "gatehouse", *there, *OPTIONS)
            master = json.loads(run("gatehouse", "status", "--json", *there, *OPTIONS).stdout)["pid"]
        run("dpkg", "--remove", "gatehouse")
        self.assertFalse(pathlib.Path(f"/proc/{master}").exists(), "it is stopped before its files go")
        self.assertEqual(run("pgrep", "-u", uid, check=False).stdout, "")
        self.assertFalse(pathlib.Path("/usr/bin/gatehouse").exists())
        self.assertTrue(CONFIG.exists())
        run("dpkg", "--purge", "gatehouse")
        end = time.monotonic() + 10
        while has_user() and time.monotonic() < end:
            time.sleep(0.1)
        self.assertFalse(has_user())
        for path in (CONFIG, pathlib.Path("/lib/systemd/system/gatehouse.service"), pathlib.Path("/etc/logrotate.d/gatehouse"),
                     pathlib.Path("/usr/share/doc/gatehouse")):
            self.assertFalse(path.exists(), path)


if __name__ == "__main__":
    unittest.main()
