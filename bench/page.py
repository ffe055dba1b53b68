"""Puts a table into a page of the documentation, between the marks that the page holds for it."""

from __future__ import annotations

import sys
from pathlib import Path


def write(path: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->` by `text` as it is. Ends the program if the marks are not there."""
    page = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before, mark, rest = page.partition(begin)
    _, closing, after = rest.partition(end)
    if not (mark and closing):
        sys.exit(f"{name}: {path} has no lines {begin.strip()} and {end.strip()}")
    path.write_text(f"{before}{begin}```text\n{text}\n```\n{end}{after}", encoding="utf-8")
