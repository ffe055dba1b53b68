"""The project's own files, for the checks that read them."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "indelible"


@cache
def tracked() -> list[Path]:
    """What goes into an archive: the files that git tracks, or all that .gitignore does not name where there is no git."""
    listed = subprocess.run([sys.executable, ROOT / "tools/archive.py", "--list"], check=True, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.splitlines()]


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
