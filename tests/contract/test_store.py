"""What every Store backend guarantees (store/port.py). A backend joins with one line in STORES.

Answers are compared with a filter over a list that shares no code with any store.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indelible.journal.file import open_file_journal
from indelible.journal.port import Frame, Journal, Position
from indelible.model.conflict import conflict_body
from indelible.model.entry import assigned_id
from indelible.model.query import FIELDS, Query
from indelible.store.local.tail import Tail
from indelible.store.port import Fold, Refusals, Row, Store

T = TypeVar("T")
Open = Callable[[Path, Journal, Fold], Store]

STORES: dict[str, Open] = {  # the one table: add a backend here
    "tail": lambda directory, journal, fold: Tail(directory, journal.reader(), journal.first, fold),
    "tail without memory": lambda directory, journal, fold: Tail(directory, journal.reader(), journal.first, fold, memory=0),
}

RECORDED = 1_795_000_000_000_000
SIZE = 8 << 20


class Entry(NamedTuple):
    row: Row
    event: Any


class World:
    """A journal, a fold that answers what it was told, a store over both, and the list that the store is compared with."""

    def __init__(self, directory: Path, open_store: Open) -> None:
        self.entries: list[Entry] = []
        self._end = 0
        self._refused = Refusals()
        self._runner = asyncio.Runner()
        self._journal = open_file_journal(directory / "data", file_size=256 << 10)
        self.store = open_store(directory / "store", self._journal, self)
        self._seed = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def close(self) -> None:
        self.run(self.store.close())
        self.run(self._journal.close())
        self._runner.close()

    @property
    def folded(self) -> Position:
        return Position(self._end)

    def refusals(self, start: Position, stop: Position) -> Refusals:
        dropped = frozenset(at for at in self._refused.dropped if start <= at < stop)
        return Refusals(dropped, {at: first for at, first in self._refused.conflicts.items() if start <= at < stop})

    def append(self, *events: Any, **how: Any) -> list[Entry]:
        return self.run(self.appended(*events, **how))

    async def appended(
        self, *events: Any, log: str = "default", dropped: Sequence[int] = (), conflicts: dict[int, int] | None = None, ids: Any = None
    ) -> list[Entry]:
        """Journal the events (dicts, or bytes verbatim) as one frame; fold it. `dropped` and `conflicts` name places in it."""
        lines = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
        self._seed += 1
        salts = b"".join(sha256(b"%d %d" % (self._seed, at)).digest()[:16] for at in range(len(lines)))
        text = b"".join(line + b"\n" for line in lines)
        frame = Frame(log, len(lines), text, RECORDED + self._seed, "-", "native", salts, b"l" * 32, ids or {})
        placed = await self._journal.append(frame)
        conflicts = conflicts or {}
        start = placed.place.position
        self._refused = Refusals(
            self._refused.dropped | {start + at for at in dropped},
            self._refused.conflicts | {start + at: first for at, first in conflicts.items()},
        )
        made = [self._entry(frame, at, line, conflicts.get(at)) for at, line in enumerate(lines) if at not in dropped]
        self._end = placed.next.position
        return made

    def _entry(self, frame: Frame, at: int, line: bytes, first: int | None) -> Entry:
        event = json.loads(line)
        assigned = assigned_id(frame.recorded, frame.salts[16 * at : 16 * at + 16])
        id = event.get("id") or frame.ids.get(at) or assigned
        if first is not None:
            line = conflict_body(event["source"], id, first, line)
            event, id = json.loads(line), assigned
        index = sum(entry.row.log == frame.log for entry in self.entries)
        given = tuple(name for name in ("id", "time") if not event.get(name))
        time = micros(event["time"]) if event.get("time") else frame.recorded
        entry = Entry(Row(frame.log, index, id, time, frame.recorded, frame.writer, given, line), event)
        self.entries.append(entry)
        return entry

    def page(self, below: int | None = None, limit: int = 100, size: int = SIZE, log: str = "default", **filters: Any) -> Any:
        return self.run(self.store.page(question(log, **filters), below, limit, size))

    def count(self, log: str = "default", **filters: Any) -> int:
        return self.run(self.store.count(question(log, **filters)))

    def indices(self, **filters: Any) -> list[int]:
        return [row.index for row in self.page(**filters).rows]


def question(log: str, since: int | None = None, until: int | None = None, **filters: Any) -> Query:
    """`actor__id="x"` asks for actor.id=x; a list is OR."""
    each = ((path.replace("__", "."), values) for path, values in filters.items())
    return Query(log, tuple((path, tuple(values) if isinstance(values, list) else (values,)) for path, values in each), since, until)


def micros(time: str) -> int:
    cut = re.sub(r"(\.\d{6})\d+", r"\1", time)
    return (datetime.fromisoformat(cut) - datetime.fromisoformat("1970-01-01T00:00:00Z")) // timedelta(microseconds=1)


def expected(entries: Sequence[Entry], query: Query) -> list[Row]:
    """The twenty-line filter: matching rows, newest first."""

    def inside(value: Any, names: Sequence[str]) -> list[Any]:
        if isinstance(value, list):
            return [found for each in value for found in inside(each, names)]
        if not names:
            return [value]
        return inside(value.get(names[0]), names[1:]) if isinstance(value, dict) else []

    def holds(entry: Entry, path: str, values: Sequence[str]) -> bool:
        names = path.split(".", 1) if path.startswith("labels.") else path.split(".")
        found = [entry.row.id] if path == "id" else inside(entry.event, ["outcome", "result"] if path == "outcome" else names)
        if path == "type" and any(value.endswith("*") and found[0].startswith(value[:-1]) for value in values):
            return True
        return any(value in found for value in values if not (path == "type" and value.endswith("*")))

    def matches(entry: Entry) -> bool:
        after = query.since is None or query.since <= entry.row.time
        before = query.until is None or entry.row.time < query.until
        return entry.row.log == query.log and after and before and all(holds(entry, *each) for each in query.filters)

    return [entry.row for entry in reversed(entries) if matches(entry)]


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, request.param)
    yield world
    world.close()


def event(number: int = 0, **members: Any) -> dict[str, Any]:
    return {"type": "test.happened", "source": "test", "id": f"e{number}", **members}


# Few different texts, so that questions find something; some odd, none with U+0000.
TEXTS = st.sampled_from(["a", "b", "", "é", "😀", "a.b", "*", "a*", "payment", "payment.", "payment.settled", '"\\\n', "null", "x" * 3000])
NAMES = st.sampled_from(["payment", "payment.settled", "payment.*", "Payment.settled", "order", "é", "*", "paymen"])
TIMES = st.sampled_from(
    [
        *("2026-11-23T10:00:00Z", "2026-11-23T10:00:00.000001Z", "2026-11-23T11:00:00.0000019+01:00"),
        *("1970-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "2026-11-23T10:00:00.5-00:30"),
    ]
)
RESULTS = st.sampled_from(["success", "failure", "denied", "unknown", "pending"])


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def part(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return maybe(st.fixed_dictionaries({}, optional={name: maybe(strategy) for name, strategy in members.items()}))


def texts(*names: str) -> st.SearchStrategy[Any]:
    return part(**dict.fromkeys(names, TEXTS))


CHANGES = st.lists(st.fixed_dictionaries({}, optional={"path": maybe(TEXTS), "old": st.integers(), "new": st.none()}), max_size=3)
TARGETS = st.lists(
    st.fixed_dictionaries({}, optional={"type": maybe(TEXTS), "id": maybe(TEXTS), "name": maybe(TEXTS), "changes": maybe(CHANGES)}),
    max_size=4,
)
EVENTS = st.fixed_dictionaries(
    {"type": NAMES, "source": NAMES},
    optional={
        "id": maybe(NAMES),
        "time": maybe(TIMES),
        "outcome": part(result=RESULTS, code=TEXTS, reason=TEXTS),
        "targets": maybe(TARGETS),
        "where": texts("environment", "region", "host", "instance", "version"),
        "actor": texts("type", "id", "name", "on_behalf_of"),
        "context": texts("ip", "user_agent", "location", "session_id", "request_id"),
        "trace": texts("traceparent", "tracestate", "correlation_id", "causation_id"),
        "producer": part(id=TEXTS, sequence=st.integers(1, (1 << 63) - 1), last=st.booleans()),
        "schema": maybe(TEXTS),
        "labels": maybe(st.dictionaries(TEXTS, TEXTS, max_size=3)),
        "data": st.just({"type": "payment", "labels": {"a": "b"}}),
    },
)
PATHS = st.sampled_from([*FIELDS, "labels.a", "labels.a.b", "labels.é", "labels.*"])
FILTERS = st.dictionaries(PATHS, st.lists(TEXTS | NAMES | RESULTS, min_size=1, max_size=3, unique=True), max_size=2)
BOUNDS = maybe(TIMES.map(micros) | st.just(RECORDED))
QUESTIONS = st.tuples(FILTERS, BOUNDS, BOUNDS)
FATES = st.sampled_from(["entry", "entry", "entry", "dropped", "conflict"])


def test_answers_are_those_of_a_filter_over_a_list(world: World) -> None:
    logs = iter(f"log-{number}" for number in range(1_000_000))

    @settings(max_examples=150)
    @given(
        st.lists(st.lists(st.tuples(EVENTS, FATES), min_size=1, max_size=6), max_size=4), st.lists(QUESTIONS, max_size=6), st.integers(1, 5)
    )
    def check(batches: list[list[Any]], questions: list[Any], limit: int) -> None:
        log = next(logs)
        for batch in batches:
            dropped = [at for at, (_, fate) in enumerate(batch) if fate == "dropped"]
            conflicts = {at: 0 for at, (_, fate) in enumerate(batch) if fate == "conflict"}
            world.append(*(event for event, _ in batch), log=log, dropped=dropped, conflicts=conflicts)
            world.append(event(), log="neighbour")
        for filters, since, until in [*questions, ({}, None, None)]:
            query = Query(log, tuple((path, tuple(values)) for path, values in filters.items()), since, until)
            rows = expected(world.entries, query)
            assert world.run(world.store.count(query)) == len(rows)
            below, paged = None, []
            while True:
                page = world.run(world.store.page(query, below, limit, SIZE))
                paged += page.rows
                assert page.complete and (len(page.rows) == limit or page.next is None)
                if page.next is None:
                    break
                below = page.next
            assert paged == rows

    check()


def test_what_was_folded_before_the_question_is_in_the_answer(world: World) -> None:
    assert world.count() == 0
    for number in range(20):
        world.append(event(number))
        assert world.indices(limit=1) == [number]
    assert world.count() == 20


def test_questions_asked_at_once_all_see_what_was_folded(world: World) -> None:
    async def go() -> list[int]:
        await world.appended(*(event(number) for number in range(50)))
        return list(await asyncio.gather(*(world.store.count(question("default")) for _ in range(20))))

    assert world.run(go()) == [50] * 20


def test_a_question_that_is_given_up_harms_no_other(world: World) -> None:
    async def go() -> int:
        await world.appended(*(event(number) for number in range(50)))
        given_up = asyncio.create_task(world.store.count(question("default")))
        other = asyncio.create_task(world.store.count(question("default")))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        return await other

    assert world.run(go()) == 50
    world.append(event(50))
    assert world.count() == 51


def test_paging_gives_each_row_once_whatever_arrives_meanwhile(world: World) -> None:
    world.append(*(event(number, actor={"id": "ann"}) for number in range(25)))
    below, seen = None, []
    while below is None or seen[-1] > 0:
        page = world.page(below, limit=4, actor__id="ann")
        seen += [row.index for row in page.rows]
        world.append(event(100 + len(seen), actor={"id": "ann"}))
        if page.next is None:
            break
        below = page.next
    assert seen == list(range(24, -1, -1))


def test_only_an_exhausted_question_has_no_next(world: World) -> None:
    world.append(*(event(number) for number in range(4)))
    assert world.page(limit=4).next is None
    assert world.page(limit=3).next == 1
    assert world.page(1, limit=3) == (world.page(limit=4).rows[3:], None, True)
    assert world.page(0).rows == [] and world.page(type="absent") == ([], None, True)


def test_a_page_ends_before_its_bodies_pass_the_size_and_goes_on(world: World) -> None:
    world.append(*(event(number, data="x" * 1000) for number in range(6)))
    size = 2 * len(world.entries[0].row.body) + 1
    first = world.page(size=size)
    assert ([row.index for row in first.rows], first.next, first.complete) == ([5, 4], 4, True)
    assert [row.index for row in world.page(first.next, size=size).rows] == [3, 2]
    assert [row.index for row in world.page(size=1).rows] == [5]  # the first is always given
    assert world.page(1, size=1).next is None


def test_a_body_comes_back_to_the_byte(world: World) -> None:
    body = b'{"type" : "a","source":"b", "data":{"x":1e5,"x":-0.0,"n":18446744073709551616,"t":"\\u00e9\\/\\u0000\xc3\xa9","big":1e400}}'
    world.append(event(1), body, event(2))
    assert world.page().rows[1].body == body


def test_dropped_events_take_no_index_and_have_no_row(world: World) -> None:
    world.append(event(0), event(0), event(1), dropped=[1])
    world.append(event(0), event(1), dropped=[0, 1])
    world.append(event(2))
    assert [row.id for row in world.page().rows] == ["e2", "e1", "e0"]
    assert world.indices() == [2, 1, 0]


def test_a_conflict_is_an_entry_in_the_event_s_place(world: World) -> None:
    refused = b'{"type":"card.changed","source":"bank","id":"e0","actor":{"id":"eve"},"time":"2020-01-01T00:00:00Z","data":[1.0]}'
    world.append(event(0), refused, event(1), conflicts={1: 0})
    row = world.page(type="indelible.conflict").rows[0]
    assert row == world.entries[1].row
    assert row.assigned == ("id", "time") and row.time == row.recorded
    assert json.loads(row.body)["data"] == {"source": "bank", "id": "e0", "index": 0, "refused": json.loads(refused)}
    assert row.body.endswith(b'"refused":%b}}' % refused)
    assert world.indices(source="indelible") == [1]
    assert world.count(actor__id="eve") == world.count(source="bank") == 0
    assert world.run(world.store.named("default", row.id)) == [row]
    assert [found.index for found in world.run(world.store.named("default", "e0"))] == [0]


def test_a_conflict_over_a_derived_id_names_it(world: World) -> None:
    world.append({"type": "a", "source": "b"}, {"type": "a", "source": "b", "data": 1}, ids={0: "derived", 1: "derived"}, conflicts={1: 0})
    row = world.page(type="indelible.conflict").rows[0]
    assert json.loads(row.body)["data"]["id"] == "derived"
    assert world.run(world.store.named("default", "derived")) == [world.entries[0].row]
    assert world.entries[0].row.assigned == ("id", "time")


def test_logs_are_kept_apart(world: World) -> None:
    for number in range(12):
        world.append(event(number), event(number), log=f"log-{number % 3}")
    for log in ("log-0", "log-1", "log-2"):
        rows = world.page(log=log).rows
        assert [row.index for row in rows] == list(range(7, -1, -1)) and {row.log for row in rows} == {log}
        assert world.count(log=log) == 8
        assert world.run(world.store.entry(log, 3)) == rows[4]
    assert world.count(log="log-9") == 0 and world.run(world.store.entry("log-9", 0)) is None
    assert world.run(world.store.named("log-0", "e1")) == []


def test_an_entry_is_found_by_its_index_and_not_beyond_the_end(world: World) -> None:
    world.append(event(0), event(1), event(2), dropped=[1])
    assert world.run(world.store.entry("default", 1)) == world.entries[1].row
    assert world.run(world.store.entry("default", 2)) is None
    assert world.run(world.store.entry("default", 10**18 - 1)) is None


def test_an_id_gives_the_lowest_index_of_each_source(world: World) -> None:
    world.append(event(7, source="a"), event(7, source="b"), event(7, source="a"), event(8, source="b"))
    world.append(event(7, source="c"))
    assert [(row.index, row.id) for row in world.run(world.store.named("default", "e7"))] == [(0, "e7"), (1, "e7"), (4, "e7")]
    assert world.run(world.store.named("default", "e")) == []
    assert world.run(world.store.named("default", "")) == []


def test_ids_that_share_a_checksum_are_told_apart(world: World) -> None:
    world.append({"type": "a", "source": "b", "id": "plumless"}, {"type": "a", "source": "b", "id": "buckeroo"})  # one CRC-32
    assert [row.index for row in world.run(world.store.named("default", "buckeroo"))] == [1]
    assert world.indices(id="plumless") == [0]


def test_null_is_absence(world: World) -> None:
    world.append(event(0, actor=None, labels=None, targets=None, time=None), event(1, actor={"id": None, "name": ""}), event(2))
    assert world.count(actor__id="") == world.count(actor__id="null") == 0
    assert world.indices(actor__name="") == [1]
    assert {row.assigned for row in world.page().rows} == {("time",)}


def test_a_prefix_holds_in_type_only_and_only_at_the_end(world: World) -> None:
    names = ["payment", "payment.", "payment.settled", "paymentx", "Payment.settled", "payment.*"]
    world.append(*(event(number, type=name, source=name) for number, name in enumerate(names)))
    assert world.indices(type="payment.*") == [5, 2, 1]
    assert world.indices(type="payment*") == [5, 3, 2, 1, 0]
    assert world.indices(type=["Payment*", "payment"]) == [4, 0]
    assert world.count(type="*") == 6 and world.count(type="*settled") == 0
    assert world.indices(source="payment.*") == [5]


def test_names_are_and_values_are_or(world: World) -> None:
    world.append(*(event(number, actor={"id": "ab"[number % 2], "name": "xyz"[number % 3]}) for number in range(6)))
    assert world.indices(actor__id="a", actor__name=["x", "z"]) == [2, 0]
    assert world.indices(actor__id=["a", "b"], actor__name="z") == [5, 2]


def test_each_target_filter_may_hold_on_another_target(world: World) -> None:
    both = [{"type": "card", "id": "1"}, {"type": "user", "id": "2"}]
    world.append(event(0, targets=both), event(1, targets=[{"type": "card"}]), event(2))
    assert world.indices(targets__type="card", targets__id="2") == [0]
    assert world.indices(targets__type="card") == [1, 0]


def test_since_and_until_are_half_open_and_cut_what_is_below_a_microsecond(world: World) -> None:
    tens = ["10:00:00.000000999Z", "10:00:00.0000019Z", "10:00:00.000002Z", "10:00:00.9999999Z"]
    world.append(*(event(number, time=f"2026-11-23T{time}") for number, time in enumerate(tens)))
    base = micros("2026-11-23T10:00:00Z")
    assert world.indices(since=base, until=base + 1) == [0]
    assert world.indices(since=base + 1, until=base + 2) == [1]
    assert world.indices(since=base + 999_999, until=base + 1_000_000) == [3]
    assert world.indices(since=base + 2) == [3, 2] and world.indices(until=base + 2) == [1, 0]


def test_a_time_that_was_not_given_is_the_recorded_one(world: World) -> None:
    (entry,) = world.append(event(0))
    assert world.indices(since=entry.row.recorded, until=entry.row.recorded + 1) == [0]


def test_a_label_may_have_any_name(world: World) -> None:
    odd = ["a", "a.b", "", "é", "*", "a=b", " ", "labels.a", "\n"]
    for name in odd:
        world.append(event(0, labels={name: name, "also": "x"}))
    for index, name in enumerate(odd):
        found = world.run(world.store.page(Query("default", ((f"labels.{name}", (name,)), ("labels.also", ("x",)))), None, 100, SIZE))
        assert [row.index for row in found.rows] == [index]
    assert world.run(world.store.count(Query("default", (("labels.a", ("a.b",)),)))) == 0


def test_the_largest_events_load(world: World) -> None:
    targets = [{"id": f"t{at}", "changes": [{"path": f"/{at}/{change}", "old": 1, "new": 2} for change in range(200)]} for at in range(64)]
    world.append(event(0, actor={"id": "é" * 400_000}), event(1, targets=targets), event(2, labels={"x" * 200_000: "y" * 200_000}))
    world.append(*(event(number, type=f"{number:0256d}") for number in range(3, 3000)))
    assert world.indices(actor__id="é" * 400_000) == [0]
    assert world.indices(targets__changes__path="/63/199") == [1]
    assert world.run(world.store.count(Query("default", ((f"labels.{'x' * 200_000}", ("y" * 200_000,)),)))) == 1
    assert world.indices(type=f"{77:0256d}") == [77]
