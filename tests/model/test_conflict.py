"""The entry that an id sent again with other bytes leaves behind."""

from __future__ import annotations

import json

import entry_reference as reference
from hostile import good_events
from hypothesis import given
from hypothesis import strategies as st

from indelible.model import strict
from indelible.model.conflict import conflict_body, conflict_entry
from indelible.model.entry import SALT, Origin

texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n\x00\x1f\x7f\u2028😀'), max_size=20)


def written(source: str, id: str, first: int, refused: bytes) -> bytes:
    """A conflict's body as docs/format.md has it."""
    data = f'{{"source":{reference.quoted(source)},"id":{reference.quoted(id)},"index":{first},"refused":'
    return b'{"type":"indelible.conflict","source":"indelible","data":' + data.encode() + refused + b"}}"


@given(texts, texts, st.integers(0, 1 << 62), good_events())
def test_a_conflict_holds_what_was_refused_verbatim_and_whose_id_it_claimed(source: str, id: str, first: int, refused: bytes) -> None:
    body = conflict_body(source, id, first, refused)
    assert body == written(source, id, first, refused)
    assert json.loads(body)["data"]["id"] == id


@given(good_events())
def test_a_conflict_can_be_read_like_any_other_event(refused: bytes) -> None:
    [event] = strict.decoded(conflict_body("billing", "b-1", 0, refused) + b"\n")
    assert (event.type, event.source) == ("indelible.conflict", "indelible")
    assert not event.id


@given(good_events(), st.binary(min_size=SALT, max_size=SALT), st.integers(0, 10**17), texts, st.sampled_from(["native", "cloudevents"]))
def test_a_conflict_has_the_clock_the_writer_and_the_salt_of_the_event_it_refuses(
    refused: bytes, salt: bytes, recorded: int, writer: str, dialect: str
) -> None:
    made = conflict_entry("billing", "b-1", 7, refused, salt, Origin(recorded, writer, dialect))
    wanted = reference.entry(written("billing", "b-1", 7, refused), salt, recorded, writer, "native")
    assert (made.id, made.leaf.hex()) == (wanted["id"], wanted["leaf"])
