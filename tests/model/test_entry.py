"""Salt, digest, header, leaf and ids: the batch code against frozen vectors, and against docs/format.md said a second time."""

from __future__ import annotations

import json
from typing import Any
from uuid import RFC_4122, UUID

import entry_reference as reference
import pytest
from hostile import good_events
from hypothesis import given
from hypothesis import strategies as st

from indelible.model import entry, strict
from indelible.model.entry import Origin
from indelible.model.event import Limits

VECTORS: list[dict[str, Any]] = json.loads(reference.VECTORS.read_text())
LAST = 253_402_300_799_999_999  # the last microsecond of the year 9999

texts = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\/\b\t\n\f\r\x00\x1f\x7f\x85\u2028\ufeff😀'), min_size=1, max_size=20
)
salts = st.binary(min_size=entry.SALT, max_size=entry.SALT)
moments = st.integers(0, LAST)


def made(cases: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What the batch code makes of cases that came in one request."""
    lines = [case["event"].encode() for case in cases]
    events = strict.decode(b"\n".join(lines) + b"\n", lines, Limits())
    salt = bytes.fromhex("".join(case["salt"] for case in cases))
    origin = Origin(cases[0]["recorded"], cases[0]["writer"], cases[0]["dialect"])
    derived = {place: entry.derived_id(*case["key"]) for place, case in enumerate(cases) if "key" in case}
    found = entry.entries(events, lines, salt, origin, derived)
    digests = entry.body_digests(lines, salt)
    headers = entry.headers(events, found.ids, digests, origin)
    return [
        {"id": id, "digest": digest, "header": header.decode(), "leaf": leaf.hex()}
        for id, digest, header, leaf in zip(found.ids, digests, headers, found.leaves, strict=True)
    ]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_an_event_has_the_entry_that_was_written_down(vector: dict[str, Any]) -> None:
    assert made([vector]) == [{name: vector[name] for name in ("id", "digest", "header", "leaf")}]


def test_events_that_came_together_have_the_same_entries_as_alone() -> None:
    together = [vector for vector in VECTORS if (vector["recorded"], vector["writer"]) == (VECTORS[0]["recorded"], "-")]
    assert len(together) > 40
    assert made(together) == [made([vector])[0] for vector in together]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_reference_still_says_what_was_written_down(vector: dict[str, Any]) -> None:
    assert vector | reference.expected(vector) == vector


@given(
    st.lists(st.tuples(good_events(), salts, st.none() | texts), min_size=1, max_size=6),
    moments,
    texts,
    st.sampled_from(["native", "cloudevents"]),
)
def test_a_batch_of_any_events_has_the_entries_of_the_reference(
    sent: list[tuple[bytes, bytes, str | None]], recorded: int, writer: str, dialect: str
) -> None:
    lines = [line for line, _, _ in sent]
    events = strict.decode(b"\n".join(lines) + b"\n", lines, Limits())
    derived = {place: name for place, (_, _, name) in enumerate(sent) if name is not None}
    origin = Origin(recorded, writer, dialect)
    found = entry.entries(events, lines, b"".join(salt for _, salt, _ in sent), origin, derived)
    wanted = [reference.entry(line, salt, recorded, writer, dialect, name) for line, salt, name in sent]
    assert found.ids == [one["id"] for one in wanted]
    assert [leaf.hex() for leaf in found.leaves] == [one["leaf"] for one in wanted]


@given(texts, texts, texts, moments, texts)
def test_a_header_is_json_that_says_what_the_event_said(id: str, kind: str, source: str, recorded: int, writer: str) -> None:
    event = strict.decoded(json.dumps({"type": kind, "source": source, "id": id}).encode() + b"\n")
    [header] = entry.headers(event, [id], ["00" * 32], Origin(recorded, writer, "native"))
    said = json.loads(header)
    assert [said[name] for name in ("id", "type", "source", "writer")] == [id, kind, source, writer]
    assert list(said) == ["v", "id", "type", "source", "recorded", "writer", "dialect", "body"]


@given(moments, salts)
def test_an_assigned_id_is_a_uuid_of_version_7_that_carries_the_clock(recorded: int, salt: bytes) -> None:
    text = entry.assigned_id(recorded, salt)
    id = UUID(text)
    assert text == str(id) == reference.assigned_id(recorded, salt)
    assert (id.version, id.variant, id.int >> 80) == (7, RFC_4122, recorded // 1000)


@given(texts, texts, texts, st.integers(0, 1 << 40))
def test_an_id_from_an_idempotency_key_is_a_uuid_of_version_8(log: str, source: str, key: str, position: int) -> None:
    text = entry.derived_id(log, source, key, position)
    assert text == reference.derived_id(log, source, key, position)
    assert (UUID(text).version, UUID(text).variant) == (8, RFC_4122)


def test_log_source_key_and_position_each_give_another_derived_id() -> None:
    asked = [
        ("a", "b", "c", 1),
        ("x", "b", "c", 1),
        ("a", "x", "c", 1),
        ("a", "b", "x", 1),
        ("a", "b", "c", 2),
        ('a","b', "b", "c", 1),
        ("a", "b", "c1", 1),
    ]
    assert len({entry.derived_id(*one) for one in asked}) == len(asked)


def test_another_salt_changes_digest_and_assigned_id_and_nothing_of_the_body_shows_in_the_header() -> None:
    vector = VECTORS[0] | {"event": '{"type":"t","source":"s","actor":{"name":"Ada"},"data":"secret"}'}
    one, other = made([vector])[0], made([vector | {"salt": "00" * 16}])[0]
    assert one["digest"] != other["digest"]
    assert one["id"] != other["id"]
    assert "Ada" not in one["header"]
    assert "secret" not in one["header"]


def test_the_longest_header_that_the_usual_limits_let_in_fits_into_a_bundle() -> None:
    widest = "\x1f" * Limits().header_characters
    line = json.dumps({"type": '"' * Limits().header_characters, "source": widest, "id": widest, "time": "2026-11-23T09:30:00Z"}).encode()
    assert len(made([VECTORS[0] | {"event": line.decode()}])[0]["header"]) <= 65_535


@pytest.mark.parametrize("given_salts", [b"", bytes(32)], ids=len)
def test_fewer_or_more_salts_than_events_are_a_mistake(given_salts: bytes) -> None:
    line = b'{"type":"t","source":"s","id":"i"}'
    with pytest.raises(ValueError):
        entry.entries(strict.decoded(line + b"\n"), [line], given_salts, Origin(0, "-", "native"))
