"""The programs that are measured: built, and on which machine."""
import os
import pathlib
import platform
import subprocess
import sys
import time

from servers import ROOT


def build(jobs):
    for command in (["cmake", "--preset", "bench"], ["cmake", "--build", "--preset", "bench", "--target", "benchmarks", "-j", str(jobs)]):
        if subprocess.run(command, cwd=ROOT, stdout=sys.stderr).returncode != 0:
            sys.exit("the build failed")


def machine():
    def first(pattern, text):
        return next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith(pattern)), "unknown processor")

    def said_by(*command):
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip().splitlines()[0]

    return {"date": time.strftime("%Y-%m-%d"), "cpu": first("model name", pathlib.Path("/proc/cpuinfo").read_text()),
            "cores": os.cpu_count(), "kernel": platform.release(), "compiler": said_by("c++", "--version"),
            "commit": said_by("git", "describe", "--always", "--dirty")}
