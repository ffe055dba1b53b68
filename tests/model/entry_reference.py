"""What docs/format.md says about entries, said a second time: slow, obvious, and sharing no code with the service.

`python tests/model/entry_reference.py` prints what tests/vectors/entries.json holds for the events in it.
That file was made so once, and is frozen.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[1]))
from oracle import instant

VECTORS = Path(__file__).parents[1] / "vectors" / "entries.json"
SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def entry(line: bytes, salt: bytes, recorded: int, writer: str, dialect: str, derived: str | None = None) -> dict[str, str]:
    """id, body digest, header and leaf of one event. `recorded` is in microseconds since 1970."""
    event = json.loads(line, parse_int=str, parse_float=str)
    outcome = event.get("outcome") or {}
    id = event.get("id") or derived or assigned_id(recorded, salt)
    digest = sha256(salt + line).hexdigest()
    members = ['"v":1', member("id", id), member("type", event["type"]), member("source", event["source"])]
    if event.get("time") is not None:
        members.append(member("time", str(instant(event["time"]))))
    members.append(member("recorded", clock(recorded)))
    if outcome.get("result") is not None:
        members.append(member("outcome", outcome["result"]))
    members += [member("writer", writer), member("dialect", dialect), member("body", digest)]
    header = "{" + ",".join(members) + "}"
    return {"id": id, "digest": digest, "header": header, "leaf": sha256(b"\x00" + header.encode()).hexdigest()}


def member(name: str, value: str) -> str:
    return f'"{name}":{quoted(value)}'


def quoted(text: str) -> str:
    return '"' + "".join(SHORT.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 0x20 else c) for c in text) + '"'


def clock(recorded: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=recorded // 1_000_000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{recorded % 1_000_000:06}Z"


def assigned_id(recorded: int, salt: bytes) -> str:
    hashed = bits(sha256(b"indelible id" + salt).digest())
    return uuid(f"{recorded // 1000:048b}" + "0111" + hashed[:12] + "10" + hashed[12:74])


def derived_id(log: str, source: str, key: str, position: int) -> str:
    named = f"[{quoted(log)},{quoted(source)},{quoted(key)},{position}]"
    hashed = bits(sha256(b"indelible key" + named.encode()).digest())
    return uuid(hashed[:48] + "1000" + hashed[52:64] + "10" + hashed[66:128])


def bits(hashed: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in hashed)


def uuid(bits: str) -> str:
    return str(UUID(int=int(bits, 2)))


def expected(case: dict[str, Any]) -> dict[str, str]:
    """What a vector must hold besides its input."""
    derived = derived_id(*case["key"]) if "key" in case else None
    return entry(case["event"].encode(), bytes.fromhex(case["salt"]), case["recorded"], case["writer"], case["dialect"], derived)


if __name__ == "__main__":
    print(json.dumps([case | expected(case) for case in json.loads(VECTORS.read_text())], indent=1, ensure_ascii=True))
