"""What evidence is made of, from a whole service: entries with headers and salts, trees with their keys."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from msgspec.json import decode
from whole_service import NDJSON, Web, assert_problem, with_service

from indelible.client.answers import Entries
from indelible.errors import BadParameter
from indelible.evidence.gather import line_of
from indelible.evidence.matching import matches, read
from indelible.model.query import parse
from indelible.tree.checkpoint import open_checkpoint
from indelible.tree.vkeys import parse_vkey

LINES = [
    b'{"id":"a","type":"customer.billed","source":"billing","time":"2020-01-01T00:00:00Z","actor":{"id":"1","type":"user"},"data":[1]}',
    b'{"type":"customer.moved","source":"crm","targets":[{"id":"x","changes":[{"path":"/a"},{"path":"/b"}]},{"type":"t"}]}',
    b'{"id":"c","type":"customer.billed","source":"crm","outcome":{"result":"denied","code":"7"},"labels":{"team":"a","b":"c"}}',
    b'{"id":"d","type":"customer","source":"billing","time":"2026-01-01T01:00:00.5+01:00","where":{"region":"eu"},"actor":null}',
    b'{"id":"e","type":"x.y","source":"billing","context":{"ip":"1.2.3.4"},"trace":{"correlation_id":"q"},"producer":{"id":"p"}}',
    b'{"id":"a","type":"customer.billed","source":"billing"}',  # a conflict with the first
    b'{"id":"caf\\u00e9","type":"caf\xc3\xa9","source":"s","schema":"urn:x","targets":[],"labels":null,"outcome":{}}',
    b'{"id":"g","type":"indelible","source":"indelibles"}',
]
FILTERS = [
    *[("type", each) for each in ("customer.billed", "customer.*", "*", "customer", "indelible.*", "caf\u00e9", "none")],
    *[("source", each) for each in ("billing", "crm", "indelible")],
    *[("id", each) for each in ("a", "c", "caf\u00e9")],
    *[("outcome", "denied"), ("outcome.code", "7"), ("targets.id", "x"), ("targets.type", "t"), ("targets.changes.path", "/b")],
    *[("labels.team", "a"), ("labels.team", "c"), ("labels.b", "c"), ("where.region", "eu"), ("actor.id", "1"), ("actor.type", "user")],
    *[("context.ip", "1.2.3.4"), ("trace.correlation_id", "q"), ("producer.id", "p"), ("schema", "urn:x")],
    *[("since", "2026-01-01T00:00:00.500000Z"), ("until", "2026-01-01T00:00:00.500001Z"), ("since", "2020-01-01T00:00:01Z")],
]


async def stored(web: Web) -> None:
    for line in LINES:
        assert (await web.post(line + b"\n", NDJSON)).status in (200, 201, 409)


def named(entries: list[Any]) -> list[int]:
    return [each["event"]["record"]["index"] for each in entries]


def test_each_entry_comes_with_what_its_leaf_hashes(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        await stored(web)
        found = (await web.get("/v1/logs/default/entries")).json
        assert named(found["entries"]) == list(range(8))[::-1] and found["next"] is None and found["complete"] is True
        for each in found["entries"]:
            record = each["event"]["record"]
            raw = (await web.get(f"/v1/logs/default/entries/{record['index']}")).body
            body = b"{" + raw.partition(b"},")[2]
            header = decode(each["header"].encode())
            assert header["body"] == sha256(b64decode(each["salt"]) + body).hexdigest()
            proof = (await web.get(f"/v1/proof/inclusion?index={record['index']}")).json
            assert proof["status"] == 404 or (proof["header"], proof["salt"]) == (each["header"], each["salt"])

    with_service(tmp_path, work)


def test_a_range_is_paged_by_its_upper_end(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        await stored(web)
        for first, expected in ((2, [[6, 5], [4, 3], [2]]), (3, [[6, 5], [4, 3]])):
            pages, below = [], 7
            while below is not None:
                found = (await web.get(f"/v1/logs/default/entries?from={first}&to={below}&limit=2")).json
                pages.append(named(found["entries"]))
                below = found["next"]
            assert pages == expected
        some = (await web.get("/v1/logs/default/entries?source=billing&from=1&to=5")).json
        assert named(some["entries"]) == [4, 3]

    with_service(tmp_path, work)


def test_what_means_nothing_there_is_refused(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        for query in ("cursor=abc", "from=1&from=2", "to=x", "form=1", "limit=0"):
            assert_problem(await web.get(f"/v1/logs/default/entries?{query}"), BadParameter)
        assert_problem(await web.get("/v1/logs/default/trees?x=1"), BadParameter)

    with_service(tmp_path, work)


def test_headers_are_read_across_tiles_and_only_those_that_match(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        lines = [b'{"id":"%d","type":"t","source":"s%d"}\n' % (at, at % 100) for at in range(700)]
        await web.post(b"".join(lines), NDJSON)
        found = (await web.get("/v1/logs/default/entries?source=s7&source=s56")).json["entries"]
        assert named(found) == sorted([*range(7, 700, 100), *range(56, 700, 100)])[::-1]
        assert [decode(each["header"])["id"] for each in found] == [str(index) for index in named(found)]

    with_service(tmp_path, work)


def test_the_trees_say_what_is_signed_and_by_whom(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        (tree,) = (await web.get("/v1/logs/default/trees")).json["trees"]
        assert (tree["size"], tree["checkpoint"], tree["witnessed"]) == (0, None, None)
        await stored(web)
        await web.service.publisher.tick()
        told = (await web.get("/v1/logs/default/trees")).json
        (tree,) = told["trees"]
        assert (told["size"], tree["generation"], tree["start"], tree["size"]) == (8, 1, 0, 8)
        keys = [parse_vkey(key["vkey"]) for key in tree["keys"]]
        assert open_checkpoint(tree["checkpoint"].encode(), tree["origin"], keys).checkpoint.size == 8
        assert tree["keys"][0]["since"] and tree["keys"][0]["until"] is None

    with_service(tmp_path, work)


def test_a_question_asked_again_of_the_entries_has_the_servers_answer(tmp_path: Path) -> None:
    """What --complete is for: whoever has every entry gets the same events."""

    async def work(web: Web) -> None:
        await stored(web)
        everything = [line_of(each) for each in decode((await web.get("/v1/logs/default/entries")).body, type=Entries).entries]

        pairs = [(one, other) for one, other in combinations(FILTERS, 2) if one[0] != other[0] or one[0] not in ("since", "until")]
        for filters in [*[[each] for each in FILTERS], *map(list, pairs)]:
            query = parse("", filters).query
            found = (await web.get(f"/v1/logs/default/entries?{urlencode(filters)}")).json["entries"]
            again = [line.index for line in everything if matches(query, *read(line.header, line.salt, line.event))]
            assert named(found) == again, filters

    with_service(tmp_path, work)
