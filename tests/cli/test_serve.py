"""`indelible serve`: the real process on a free port, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

COMMAND = [sys.executable, "-m", "indelible", "serve"]


def environ(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("INDELIBLE_")} | more


def refused(*flags: str, **more: str) -> tuple[int, str]:
    done = subprocess.run([*COMMAND, *flags], capture_output=True, text=True, check=False, env=environ(**more), timeout=30)
    assert done.stdout == ""
    assert done.stderr.startswith("indelible: ")
    assert done.stderr.count("\n") == 1
    return done.returncode, done.stderr


def test_it_serves_with_the_settings_in_force_and_ends_clean(tmp_path: Path) -> None:
    (tmp_path / "trail.toml").write_text('data = "trail"\nlogs = ["default", "second"]\nport = 1\n')
    flags = ["--config", str(tmp_path / "trail.toml"), "--port", "0"]
    with subprocess.Popen([*COMMAND, *flags], stderr=subprocess.PIPE, text=True, env=environ(INDELIBLE_KEY="k" * 32)) as server:
        assert server.stderr
        try:
            start, ready = server.stderr.readline(), server.stderr.readline()
            url = re.search(r"http://127\.0\.0\.1:\d+", ready)
            assert url, ready
            with urlopen(Request(f"{url[0]}/v1/logs", headers={"Authorization": f"Bearer {'k' * 32}"}), timeout=30) as answer:
                assert [log["name"] for log in json.load(answer)["logs"]] == ["default", "second"]
        finally:
            server.send_signal(signal.SIGTERM)
            rest = server.stderr.read()
        assert server.wait() == 0
    said = [json.loads(line) for line in (start, ready, *rest.splitlines())]
    assert [line["event"] for line in said] == ["start", "ready", "stop"]
    assert {line["level"] for line in said} == {"info"}
    assert said[1]["entries"] == {"default": 0, "second": 0}
    assert (tmp_path / "trail" / "journal").is_dir()
    assert "k" * 32 not in start + ready + rest


def test_an_open_address_without_a_key_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    code, line = refused("--host", "0.0.0.0", "--data", str(tmp_path / "data"))
    assert code == 78
    assert "set INDELIBLE_KEY" in line
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, line = refused("--port", str(taken.getsockname()[1]), "--data", str(tmp_path))
    assert code == 78
    assert "--port" in line


def test_a_data_directory_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    code, line = refused("--port", "0", "--data", str(tmp_path / "data"))
    assert code == 78
    assert "(flag --data)" in line


@pytest.mark.parametrize("package", ["uvicorn", "uvloop", "starlette"])
def test_without_the_servers_packages_it_says_what_to_install(package: str, tmp_path: Path) -> None:
    hidden = f"import sys; sys.modules[{package!r}] = None; from indelible.cli.main import main; sys.argv[1:] = ['serve']; main()"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False, cwd=tmp_path, env=environ())
    assert done.returncode == 69
    assert done.stderr.startswith(f"indelible: this needs the server's packages, and {package} is missing: pip install './indelible-")
    assert list(tmp_path.iterdir()) == []
