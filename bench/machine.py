"""What was measured on what: processor, kernel, disk and the versions of all that takes part."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import indelible

PACKAGES = ("msgspec", "uvicorn", "uvloop", "httptools", "pyarrow", "xxhash")


def described(data: Path) -> list[str]:
    """Lines for the head of a report; `data` is where the trails lie."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    implementation = f"{platform.python_implementation()} {platform.python_version()}"
    return [
        f"machine   {_processor()}, {_cores()} cores shared by server and generator, {memory:.0f} GB",
        f"system    {platform.system()} {platform.release()} {platform.machine()}, data on {_filesystem(data)}",
        f"versions  indelible {indelible.__version__}, {implementation}, " + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    ]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _filesystem(data: Path) -> str:
    """The type of the file system that holds `data`, from the mount that reaches deepest."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    except OSError:
        return "an unknown file system"
    path = str(data.resolve())
    holding = [fields for fields in mounts if path == fields[4] or path.startswith(fields[4].rstrip("/") + "/")]
    deepest = max(holding, key=lambda fields: len(fields[4]))
    return deepest[deepest.index("-") + 1]
