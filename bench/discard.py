"""A server that takes events and forgets them: what uvicorn and an ASGI application alone can reach, `python -m bench.discard`."""

from __future__ import annotations

import argparse
import signal
from typing import Any

import uvicorn

_PLAIN = [(b"content-type", b"application/json")]


class Discard:
    """Answers as Indelible does, with the counts alone: nothing is decoded, hashed, kept or told apart."""

    def __init__(self) -> None:
        self._count = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST":
            lines, more = 0, True
            while more:
                message = await receive()
                lines += message.get("body", b"").count(b"\n")
                more = message.get("more_body", False)
            self._count += lines or 1
            status, answer = 201, b'{"stored":%d,"duplicates":0,"status":"stored"}' % (lines or 1)
        else:
            status, answer = 200, b'{"count":%d}' % self._count
        headers = [*_PLAIN, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.discard")
    parser.add_argument("--port", type=int, required=True)
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn ends in order and raises it again: then it means nothing more
    # Beside these nothing that costs differs from how Indelible runs uvicorn (src/indelible/http/server.py).
    fixed: dict[str, Any] = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "lifespan": "off",
        "access_log": False,
        "log_config": None,
    }
    uvicorn.run(Discard(), host="127.0.0.1", port=parser.parse_args().port, server_header=False, proxy_headers=False, **fixed)


if __name__ == "__main__":
    main()
