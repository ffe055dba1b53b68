"""The log as tlog-tiles: what a client that knows nothing of the service gets, rebuilds and may keep."""

from __future__ import annotations

import gzip
import json
import threading
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from whole_service import NDJSON, Web, assert_problem, with_service

from indelible.errors import BadParameter, NotAllowed, NotFound, NotYet
from indelible.http.tiles import takes_gzip
from indelible.tree.checkpoint import Checkpoint, open_checkpoint
from indelible.tree.merkle import WIDTH, Tree, leaf_hash
from indelible.tree.tiles import ENTRIES, Tile, decode_bundle, decode_hashes, tiles_of
from indelible.tree.vkeys import parse_vkey

LOG = "/v1/logs/default"
TILES: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/tiles.json").read_text())


async def grow(web: Web, first: int, count: int, target: str = "/v1/events") -> list[bytes]:
    """Send events `first` and on in frames of 1 to 400; the leaves of their receipts."""
    leaves = []
    at = first
    while at < first + count:
        many = min(first + count - at, 1 + at * 37 % 400)
        lines = b"".join(b'{"id":"%d","type":"t","source":"s%d","data":%d}\n' % (n, n % 3, n) for n in range(at, at + many))
        answer = await web.post(lines, NDJSON, target)
        assert answer.status == 201
        leaves += [receipt["leaf"] for receipt in answer.json["receipts"]]
        at += many
    return leaves


async def checkpoint(web: Web, prefix: str = LOG) -> Checkpoint:
    """The one that is shown, whose signature by the log's key holds."""
    note, keys = await web.get(f"{prefix}/checkpoint"), await web.get(f"{prefix}/vkey")
    assert (note.status, keys.status) == (200, 200)
    assert note.headers["content-type"] == keys.headers["content-type"] == "text/plain; charset=utf-8"
    assert note.headers["cache-control"] == "no-cache"
    key = parse_vkey(keys.body.decode().removesuffix("\n"))
    return open_checkpoint(note.body, key.name, [key]).checkpoint


async def fetched(web: Web, tile: Tile, prefix: str = LOG) -> bytes:
    answer = await web.get(f"{prefix}/{tile.path}")
    assert answer.status == 200, tile.path
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "max-age=31536000, immutable"
    return answer.body


async def rebuilt(web: Web, size: int, prefix: str = LOG) -> bytes:
    """The root over all tiles of a log of this size; every hash above the leaves and every bundle is held against the leaves."""
    leaves: list[bytes] = []
    tree = Tree()
    for tile in tiles_of(size):
        data = await fetched(web, tile, prefix)
        if tile.level:
            assert decode_hashes(data, tile.width) == tree.hashes(tile.level, tile.start, tile.stop)
            continue
        hashes = decode_hashes(data, tile.width)
        entries = decode_bundle(await fetched(web, tile._replace(level=ENTRIES), prefix), tile.width)
        assert [leaf_hash(entry) for entry in entries] == hashes
        leaves += hashes
        tree.extend(hashes)
    return tree.root()


def test_a_client_rebuilds_every_root_that_was_published_from_tiles_alone(tmp_path: Path) -> None:
    """After the log has grown on, too: the tiles of an earlier size are the beginnings of later ones."""

    async def work(web: Web) -> None:
        published, size = [], 0
        for count in (1, 254, 1, 1, 300, 700):
            await grow(web, size, count)
            size += count
            await web.service.publisher.tick()
            published.append(await checkpoint(web))
            assert published[-1].size == size
            assert await rebuilt(web, size) == published[-1].root
        for each in published:
            assert await rebuilt(web, each.size) == each.root

    with_service(tmp_path, work)


def test_what_was_acknowledged_is_what_the_tiles_hold_and_a_restart_changes_nothing(tmp_path: Path) -> None:
    told: list[Any] = []

    async def first(web: Web) -> None:
        told.append([*await grow(web, 0, 300)])
        await web.service.publisher.tick()
        told.append(await checkpoint(web))

    async def again(web: Web) -> None:
        assert await checkpoint(web) == told[1]
        hashes = decode_hashes(await fetched(web, Tile(0, 0)), WIDTH) + decode_hashes(await fetched(web, Tile(0, 1, 44)), 44)
        assert hashes == [b64decode(leaf) for leaf in told[0]]

    with_service(tmp_path, first)
    with_service(tmp_path, again)


def test_duplicates_are_in_no_tile_and_conflicts_are_entries_among_many_logs(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        for at in range(40):
            for log in ("a", "b"):
                lines = b"".join(b'{"id":"%d","type":"t","source":"s","data":%d}\n' % (n % 50, n // 100) for n in range(9 * at, 9 * at + 9))
                answer = await web.post(lines, NDJSON, f"/v1/logs/{log}/events")
                assert answer.status in (200, 201, 409)
        await web.service.publisher.tick()
        for log in ("a", "b"):
            prefix = f"/v1/logs/{log}"
            found = await checkpoint(web, prefix)
            assert found.size == web.service.recorder.size(log) > 60
            assert await rebuilt(web, found.size, prefix) == found.root
            bundle = decode_bundle(await fetched(web, Tile(ENTRIES, 0, found.size), prefix), found.size)
            kinds = [json.loads(entry)["type"] for entry in bundle]
            assert kinds.count("indelible.conflict") == found.size - 50

    with_service(tmp_path, work, logs=("a", "b"))


def test_a_tile_does_not_wait_for_the_tail_to_load(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        await grow(web, 0, 600)
        await web.service.publisher.tick()
        store: Any = web.service.store
        assert await rebuilt(web, 600) == (await checkpoint(web)).root
        assert store._chunks == () and store._loading is None

    with_service(tmp_path, work)


@pytest.mark.parametrize("path", [each["path"] for each in TILES["bad_paths"]])
def test_a_path_that_names_no_tile_is_not_found(tmp_path: Path, path: str) -> None:
    async def work(web: Web) -> None:
        await grow(web, 0, 2)
        await web.service.publisher.tick()
        assert_problem(await web.get(f"{LOG}/{path}"), NotFound)

    with_service(tmp_path, work)


def test_nothing_is_served_beyond_what_is_published(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        await grow(web, 0, 300)
        assert_problem(await web.get(f"{LOG}/checkpoint"), NotYet, "no checkpoint yet")
        for path in ("tile/0/000", "tile/0/000.p/1", "tile/entries/000.p/1"):
            assert_problem(await web.get(f"{LOG}/{path}"), NotFound, "beyond the 0 entries")
        await web.service.publisher.tick()
        await grow(web, 300, 300)  # there, but not published
        good = ["tile/0/000", "tile/0/001.p/44", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/001.p/44", "tile/0/000.p/255"]
        bad = [
            "tile/0/001.p/45",
            "tile/0/001",
            "tile/1/000.p/2",
            "tile/1/000",
            "tile/2/000.p/1",
            "tile/entries/001.p/45",
            "tile/63/000.p/1",
        ]
        assert [(await web.get(f"{LOG}/{path}")).status for path in good] == [200] * len(good)
        for path in [*bad, "tile/63/000.p/1", "tile/0/002.p/1", "tile/0/x999/x999/x999/x999/999"]:
            answer = await web.get(f"{LOG}/{path}")
            assert_problem(answer, NotFound)
            assert answer.headers["cache-control"] == "no-store"
        assert_problem(await web.get("/v1/logs/other/checkpoint"), NotFound, "there is no log")
        assert_problem(await web.get(f"{LOG}/g2/checkpoint"), NotFound, "no generation 2")
        for number in ("0", "01", "x", "-1", "9" * 20, "9" * 5000):
            assert_problem(await web.get(f"{LOG}/g{number}/checkpoint"), NotFound, "number of no generation")
        assert (await web.get(f"{LOG}/g1/checkpoint")).body == (await web.get(f"{LOG}/checkpoint")).body
        assert (await web.get(f"{LOG}/g1/{good[0]}")).body == (await web.get(f"{LOG}/{good[0]}")).body
        assert_problem(await web.get(f"{LOG}/checkpoint?x=1"), BadParameter)
        assert_problem(await web.ask("POST", f"{LOG}/checkpoint", {}, b""), NotAllowed)

    with_service(tmp_path, work)


def test_head_and_conditional_requests_answer_as_get_does_without_its_body(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        await grow(web, 0, 300)
        await web.service.publisher.tick()
        for path in ("checkpoint", "vkey", "tile/0/000", "tile/1/000.p/1", "tile/entries/001.p/44"):
            whole = await web.get(f"{LOG}/{path}")
            assert whole.headers["etag"] == f'"{sha256(whole.body).hexdigest()[:32]}"'
            head = await web.ask("HEAD", f"{LOG}/{path}", {}, b"")
            assert (head.status, head.headers, head.body) == (200, whole.headers, b"")
            for given in (whole.headers["etag"], f'W/{whole.headers["etag"]}, "x"', "*"):
                unchanged = await web.ask("GET", f"{LOG}/{path}", {"if-none-match": given}, b"")
                assert (unchanged.status, unchanged.body) == (304, b"")
                assert unchanged.headers["etag"] == whole.headers["etag"]
                assert unchanged.headers["cache-control"] == whole.headers["cache-control"]
            assert (await web.ask("GET", f"{LOG}/{path}", {"if-none-match": '"x"'}, b"")).body == whole.body
        before = (await web.get(f"{LOG}/checkpoint")).headers["etag"]
        await grow(web, 300, 1)
        await web.service.publisher.tick()
        assert (await web.ask("GET", f"{LOG}/checkpoint", {"if-none-match": before}, b"")).status == 200

    with_service(tmp_path, work)


def test_bundles_are_packed_for_whoever_accepts_it_and_tiles_never_are(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        await grow(web, 0, 256)
        await web.service.publisher.tick()
        bundle, tile = f"{LOG}/tile/entries/000", f"{LOG}/tile/0/000"
        plain = await web.get(bundle)
        packed = await web.ask("GET", bundle, {"accept-encoding": "gzip, identity"}, b"")
        assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
        assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body) / 2
        assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
        assert plain.headers["etag"] != packed.headers["etag"]
        again = await web.ask("GET", bundle, {"accept-encoding": "gzip", "if-none-match": packed.headers["etag"]}, b"")
        assert again.status == 304 and not {"content-type", "content-encoding"} & again.headers.keys()
        assert "content-encoding" not in (await web.ask("GET", tile, {"accept-encoding": "gzip"}, b"")).headers

    with_service(tmp_path, work)


def test_bundles_are_packed_beside_the_event_loop_and_not_for_whoever_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packing: list[threading.Thread] = []

    def compress(data: bytes, level: int, *, mtime: float) -> bytes:
        packing.append(threading.current_thread())
        return data

    async def work(web: Web) -> None:
        await grow(web, 0, 256)
        await web.service.publisher.tick()
        monkeypatch.setattr("indelible.http.tiles.gzip.compress", compress)
        answer = await web.ask("GET", f"{LOG}/tile/entries/000", {"accept-encoding": "gzip"}, b"")
        known = {"accept-encoding": "gzip", "if-none-match": answer.headers["etag"]}
        assert (await web.ask("GET", f"{LOG}/tile/entries/000", known, b"")).status == 304
        assert len(packing) == 1 and packing[0] is not threading.current_thread()

    with_service(tmp_path, work)


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ([], False),
        (["gzip"], True),
        (["GZIP;q=0.5, br"], True),
        (["gzip;q=0, identity"], False),
        (["*"], True),
        (["identity", "x-gzip"], True),
        (["gzip; q=0.000"], False),
        (["*;q=0"], False),
        (["gzip;q=x"], False),
        (["br"], False),
    ],
)
def test_what_a_client_accepts_is_read_as_http_has_it(accepted: list[str], takes: bool) -> None:
    assert takes_gzip(accepted) is takes
