"""Events to be afraid of, through the whole service: taken or refused as an oracle says, and whatever was taken never breaks it."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from random import Random
from urllib.parse import quote

from hostile import event
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_service import NDJSON, Web, serving

EVENTS = 60


@given(st.integers(0, 2**64 - 1))
@settings(max_examples=25)
def test_whatever_is_accepted_comes_back_to_the_byte_before_and_after_a_restart(seed: int) -> None:
    random = Random(seed)
    drawn = [event(random) for _ in range(EVENTS)]
    while drawn[0][0].startswith(b"\xef\xbb\xbf"):  # a mark that is skipped before the first line, and there alone
        drawn.pop(0)
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_through(Path(directory), drawn))


async def _through(data: Path, drawn: list[tuple[bytes, bool]]) -> None:
    async with serving(data) as web:
        body = b"\n" + b"".join(line + b"\n" for line, _ in drawn)  # a byte order mark is skipped at the very beginning only
        answer = await web.post(body, NDJSON, "/v1/events?on_error=skip")
        good = [line.replace(b"\r", b" ") for line, ok in drawn if ok]  # outside strings: inside one it is no JSON
        assert answer.status in ({200, 201, 409} if good else {422}), answer.body
        # What the log must hold: the first bytes of each (source, id), and each other body for one of them as a conflict.
        kept, seen = [], set[object]()
        for line in good:
            sent = json.loads(line, object_pairs_hook=dict)
            name = (sent["source"], sent["id"]) if sent.get("id") is not None else len(kept)
            if isinstance(name, int) or name not in seen:
                kept.append(line)
            elif line not in kept:
                kept.append(b'"refused":%b}}' % line)
            seen.add(name)
        before = await _everything(web, kept)
        sizes = (await web.get("/v1/logs")).body
    async with serving(data) as web:
        assert await _everything(web, kept) == before
        assert (await web.get("/v1/logs")).body == sizes


async def _everything(web: Web, kept: list[bytes]) -> list[bytes]:
    """The answers to every kind of question about what was kept, newest first."""
    assert (await web.get("/v1/count")).json == {"count": len(kept), "complete": True}
    answers = []
    for index, line in enumerate(kept):
        answer = await web.get(f"/v1/logs/default/entries/{index}")
        assert answer.status == 200, answer.body
        assert answer.body.endswith(line[1:] if line[:1] == b"{" else line), (line, answer.body)
        answers.append(answer.body)
        record = answer.json["record"]
        named = await web.get(f"/v1/events/{quote(record['id'], safe='')}")
        assert named.status in (200, 409)
        source = answer.json["source"]
        found = await web.get(f"/v1/events?source={quote(source, safe='')}&id={quote(record['id'], safe='')}&limit=1000")
        assert answer.body in found.body
    page = await web.get("/v1/events?limit=1000")
    assert page.body == b'{"events":[%b],"next":null,"complete":true}' % b",".join(reversed(answers))
    for filters in ("type=*", "type=payment.*", "outcome=success", "actor.id=a&labels.a=b", "since=1970-01-01T00:00:00Z", "targets.id=a"):
        assert (await web.get(f"/v1/events?{filters}")).status == 200
        assert (await web.get(f"/v1/count?{filters}")).status == 200
    assert (await web.get("/")).status == 200
    return answers
