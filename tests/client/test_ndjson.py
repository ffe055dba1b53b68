"""A stream as requests: its lines' places, the ids they get, how it is cut."""

from __future__ import annotations

import io
import json
import os
import threading
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible.client import ndjson
from indelible.client.ndjson import Line, named, requests, with_id
from indelible.errors import TooLarge

ID = "0190e4a0-0000-8000-8000-000000000000"


def lines_of(text: bytes, most: int = 1000) -> list[Line]:
    return [line for some in requests(io.BytesIO(text), most) for line in some]


def test_an_id_is_the_running_digest_of_the_input_up_to_its_line_as_uuid_8() -> None:
    text = b'{"type":"a"}\n\n{"id":"own","type":"b"}\n{"type":"c"}'
    first, own, last = lines_of(text)

    for line, before in ((first, b'{"type":"a"}\n'), (last, text + b"\n")):
        id = UUID(json.loads(line.text)["id"])
        digest = int.from_bytes(sha256(before).digest()[:16], "big")
        fixed = (0xF << 76) | (3 << 62)
        assert (id.version, id.variant) == (8, "specified in RFC 4122")
        assert id.int & ~fixed == digest & ~fixed
    assert own.text == b'{"id":"own","type":"b"}'
    assert [first.number, own.number, last.number] == [1, 3, 4]


def test_the_same_line_twice_is_two_events_and_the_same_input_twice_the_same_events() -> None:
    text = b'{"type":"a"}\n{"type":"a"}\n'
    one, two = lines_of(text)
    assert one.text != two.text
    assert lines_of(text) == [one, two] == lines_of(text.rstrip()) == lines_of(text, most=1)


WITHOUT = [
    (b'{"type":"a"}', b'{"id":"%b","type":"a"}'),
    (b'{ "type" : "a" , "data" : 1e400}', b'{"id":"%b", "type" : "a" , "data" : 1e400}'),
    (b'{"id":null,"type":"a"}', b'{"id":"%b","type":"a"}'),
    (b'{"type":"a", "id" : null }', b'{"type":"a", "id" : "%b" }'),
    (b'{"\\u0069d":null,"a":1}', b'{"\\u0069d":"%b","a":1}'),
    ('{"é\\"id":null,"data":{"id":null},"id":null}'.encode(), '{"é\\"id":null,"data":{"id":null},"id":"%b"}'.encode()),
    (b'{"a":"\\"id\\":null","data":[-0.0,1E+2,{"id":null}]}', b'{"id":"%b","a":"\\"id\\":null","data":[-0.0,1E+2,{"id":null}]}'),
]


@pytest.mark.parametrize(("text", "expected"), WITHOUT)
def test_an_id_is_put_in_and_every_other_byte_stays(text: bytes, expected: bytes) -> None:
    (line,) = lines_of(text)
    id = json.loads(line.text)["id"]
    assert line.text == expected % id.encode()


@pytest.mark.parametrize(
    "text", [b"{}", b"{ }", b"nope", b"[1]", b"1", b'{"a"', b'{"id":null', b'{"id":5}', b'{"a":' + b"[" * 5000, b"\xff"]
)
def test_what_is_no_event_stays_as_it_is_for_the_server_to_refuse(text: bytes) -> None:
    assert lines_of(text + b"\n") == [Line(1, text)]


TEXT = st.text(max_size=4) | st.sampled_from(["id", '"id":null', "\\"])
VALUE = st.none() | st.floats() | st.integers() | TEXT
JSON = VALUE | st.dictionaries(TEXT, VALUE, max_size=3) | st.lists(VALUE, max_size=3)


@given(st.lists(st.tuples(TEXT.filter(lambda name: name != "id"), JSON), min_size=1, max_size=4), st.booleans(), st.integers(0, 5))
def test_any_object_gets_the_id_in_its_place(members: list[tuple[str, object]], ascii: bool, place: int) -> None:
    has_null = place < 5
    if has_null:
        members.insert(place, ("id", None))
    pairs = [json.dumps(name, ensure_ascii=ascii) + ": " + json.dumps(value, ensure_ascii=ascii) for name, value in members]
    text = ("{" + ", ".join(pairs) + "}").encode()
    made = with_id(text, ID)
    if has_null:
        pairs[min(place, len(pairs) - 1)] = f'"id": "{ID}"'
        assert made.decode() == "{" + ", ".join(pairs) + "}"
    else:
        assert made == b'{"id":"%b",' % ID.encode() + text[1:]


def test_blank_lines_carriage_returns_and_a_byte_order_mark_are_left_out_but_counted() -> None:
    found = lines_of(b'\xef\xbb\xbf{"id":"1"}\r\n \t\r\n{"id":"2"}  \r\n')
    assert found == [Line(1, b'{"id":"1"}'), Line(3, b'{"id":"2"}')]


def test_requests_hold_no_more_events_and_bytes_than_fit() -> None:
    text = b"".join(b'{"id":"%d"}\n' % n for n in range(25))
    assert [len(some) for some in requests(io.BytesIO(text), 10)] == [10, 10, 5]

    large = b'{"id":"1","data":"' + b"x" * (3 << 20) + b'"}\n'
    sizes = [sum(len(line.text) + 1 for line in some) for some in requests(io.BytesIO(large * 5))]
    assert sizes == [2 * len(large), 2 * len(large), len(large)]


def test_an_event_of_any_size_goes_alone() -> None:
    large = b'{"id":"1","data":"' + b"x" * (9 << 20) + b'"}'
    assert [len(some) for some in requests(io.BytesIO(large + b"\n" + large))] == [1, 1]


def test_a_line_that_never_ends_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "LONGEST", 3 << 20)

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += size
            return b"x" * size

    endless = Endless()
    with pytest.raises(TooLarge):
        list(requests(endless))  # type: ignore[arg-type]
    assert endless.given < 8 << 20


def test_what_a_stream_brought_is_handed_on_while_it_pauses() -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as stream:
        os.write(writer, b'{"id":"1"}\n{"id":"2"}\n{"id":')
        found = requests(stream)
        assert [line.number for line in next(found)] == [1, 2]
        os.write(writer, b'"3"}\n')
        threading.Timer(0, os.close, [writer]).start()
        assert list(found) == [[Line(3, b'{"id":"3"}')]]


def test_a_pause_is_no_line() -> None:
    assert list(named([b'{"id":"1"}', None, b'{"id":"2"}'])) == [Line(1, b'{"id":"1"}'), None, Line(2, b'{"id":"2"}')]
