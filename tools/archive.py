"""Packs the project into one tar.gz that runs and tests itself; from a checkout, or from an unpacked archive.

python3 tools/archive.py DIRECTORY      write DIRECTORY/indelible-<version>.tar.gz
python3 tools/archive.py --list         name the files that would go in, one a line
"""

from __future__ import annotations

import ast
import gzip
import sys
import tarfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from subprocess import run

ROOT = Path(__file__).resolve().parent.parent


def version(root: Path) -> str:
    """What src/indelible/__init__.py says, read without importing it."""
    for node in ast.parse((root / "src/indelible/__init__.py").read_bytes()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise SystemExit("src/indelible/__init__.py has no __version__")


def files(root: Path) -> list[str]:
    """The project's files, sorted: what git tracks, or, where there is no git, all that .gitignore does not name."""
    if (root / ".git").exists():
        listed = run(["git", "-C", str(root), "ls-files", "-z"], check=True, capture_output=True).stdout
        return sorted(name for name in listed.decode().split("\0") if name)
    return sorted(_walk(root, root, (root / ".gitignore").read_text().split()))


def _walk(root: Path, folder: Path, ignored: list[str]) -> Iterator[str]:
    for path in folder.iterdir():
        name = path.relative_to(root).as_posix()
        if any(_names(pattern, name, path.is_dir()) for pattern in ignored):
            continue
        if path.is_dir():
            yield from _walk(root, path, ignored)
        else:
            yield name


def _names(pattern: str, name: str, folder: bool) -> bool:
    """Whether a line of .gitignore names this file. Only what ours uses: a leading and a trailing slash, and stars."""
    if pattern.endswith("/") and not folder:
        return False
    if pattern.startswith("/"):
        return fnmatch(name, pattern.strip("/"))
    return fnmatch(name.rpartition("/")[2], pattern.rstrip("/"))


def pack(root: Path, directory: Path) -> Path:
    """Write the archive and return its path. The same files give the same bytes: no clock and no owner goes in."""
    top = f"indelible-{version(root)}"
    target = directory / f"{top}.tar.gz"
    directory.mkdir(parents=True, exist_ok=True)
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in files(root):
            tar.add(root / name, f"{top}/{name}", recursive=False, filter=_anonymous)
    return target


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 315532800  # 1980: some tools refuse what is older
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(files(ROOT)))
    else:
        print(pack(ROOT, Path(*sys.argv[1:])))
