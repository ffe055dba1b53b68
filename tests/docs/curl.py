"""What the pages need of curl, for machines whose curl is older than --json or missing: `python curl.py …` prints an answer's body."""

from __future__ import annotations

import argparse
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-s", action="store_true")  # it never shows progress
    parser.add_argument("--json")
    parser.add_argument("--data-binary")
    parser.add_argument("--path-as-is", action="store_true")
    parser.add_argument("url")
    given = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in given.H)
    body = None
    if given.json is not None:
        body = given.json.encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
    elif given.data_binary is not None:
        body = sys.stdin.buffer.read() if given.data_binary == "@-" else given.data_binary.encode()
    url = urlsplit(given.url)
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    connection = HTTPConnection(url.netloc, timeout=30)
    connection.request("POST" if body is not None else "GET", target, body, headers)
    sys.stdout.buffer.write(connection.getresponse().read())


if __name__ == "__main__":
    main()
