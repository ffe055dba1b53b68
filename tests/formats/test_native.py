import json
import tracemalloc

import pytest
from hostile import events, good_events
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from indelible.errors import NotAnEvent, NotJSON, Refused, TooLarge, Unsupported
from indelible.formats import FORMATS, split
from indelible.model import strict
from indelible.model.event import Limits

LIMITS = Limits()
JSON, NDJSON = "application/json", "application/x-ndjson"
SPACE = st.sampled_from((b"", b" ", b"\n", b"\r\n", b"\t", b" \n  "))
FEW = settings(max_examples=150)


@FEW
@given(st.lists(good_events(), min_size=1, max_size=8), st.lists(SPACE, min_size=17, max_size=17))
def test_the_elements_of_an_array_are_its_own_bytes(lines: list[bytes], space: list[bytes]) -> None:
    gaps = iter(space)
    body = next(gaps) + b"[" + b",".join(next(gaps) + line + next(gaps) for line in lines) + b"]" + b"\n"
    found = split(body, JSON, LIMITS)
    assert found.lines == lines and not found.single
    assert found.text == b"".join(line + b"\n" for line in lines)


@FEW
@given(st.lists(st.tuples(events(), st.sampled_from((b"\n", b"\r\n", b" \n", b"\n\n", b"\n \r\n"))), min_size=1, max_size=8))
def test_each_filled_line_of_ndjson_is_an_event_to_be(rows: list[tuple[tuple[bytes, bool], bytes]]) -> None:
    body = b"".join(line + end for (line, _), end in rows)
    assume(not body.startswith(b"\xef\xbb\xbf"))  # skipped before the first line, and there alone
    found = split(body, NDJSON, LIMITS)
    good, _, _ = strict.decode_each(found.lines, LIMITS)
    assert [place for place, _, _ in good] == [place for place, ((_, ok), _) in enumerate(rows) if ok]


@FEW
@given(events(), st.sampled_from((JSON, NDJSON)), SPACE)
def test_any_bytes_are_split_or_refused(one: tuple[bytes, bool], kind: str, space: bytes) -> None:
    for body in (space + one[0] + space, b"[" + one[0] + b"]", b"[" + one[0]):
        try:
            found = split(body, kind, LIMITS)
        except Refused as error:
            assert error.detail and not (one[1] and body[-1:] != b"{" and body[:1] == b"{")
        else:
            assert found.text == b"".join(line + b"\n" for line in found.lines)
            assert all(line and b"\n" not in line for line in found.lines)


def test_common_ndjson_is_not_copied() -> None:
    body = b'{"a":1}\n{"b":2}\n'
    found = split(body, NDJSON, LIMITS)
    assert found.text is body and found.lines == [b'{"a":1}', b'{"b":2}']


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b'{"a":1}', [b'{"a":1}']),
        (b'{"a":1}\r\n\r\n  \n {"b":\r2} \n', [b'{"a":1}', b'{"b": 2}']),
        (b'{"a":"\r"}\n', [b'{"a":"\r"}']),  # a raw CR in a string stays, and is refused
        (b'\xef\xbb\xbf{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'hello\n{"a":1}\n', [b"hello", b'{"a":1}']),
        (b'{"a":1}\n\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\n {"b":2}\n{"c":3}\n', [b'{"a":1}', b'{"b":2}', b'{"c":3}']),
    ],
)
def test_lines_of_ndjson(body: bytes, lines: list[bytes]) -> None:
    found = split(body, NDJSON, LIMITS)
    assert found.lines == lines and not found.single and found.text == b"".join(line + b"\n" for line in lines)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_content_type_of_the_table_is_read(kind: str) -> None:
    assert split(b'{"a":1}\n', kind.upper() + "; charset=UTF-8", LIMITS).lines == [b'{"a":1}']


def test_one_object_is_single_and_pretty_printing_becomes_one_line() -> None:
    found = split(b'\n{\n  "a": "x",\r\n  "b": 1e5\n}\n', JSON, LIMITS)
    assert found.single and found.lines == [b'{   "a": "x",    "b": 1e5 }']


def test_half_a_surrogate_pair_spoils_its_event_and_not_the_list() -> None:
    body = rb'[{"a":"\ud800"}, {"b":"\\ud80"} ,{"c":"\ud83d\ude00"}, 1]'
    assert split(body, JSON, LIMITS).lines == [rb'{"a":"\ud800"}', rb'{"b":"\\ud80"}', rb'{"c":"\ud83d\ude00"}', b"1"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "the body is empty: send one event, or a list of them"),
        (b" \n", "the body is empty: send one event, or a list of them"),
        (b'{"a":', "the body ends too early: after 5 bytes a value is still open"),
        (b'[{"a":1},', "the body ends too early: after 9 bytes a value is still open"),
        (b'{"a":x}', "the body is not JSON: invalid character at byte 5, where `x}` stands"),
        (b"[{},]", "the body is not JSON: trailing comma in array at byte 4, where `]` stands"),
        (b"hello", "the body is not JSON: invalid character at byte 0, where `hello` stands"),
        (
            b'{"a":1}\n{"b":2}',
            "a second value begins at byte 8: send lines of events as Content-Type: application/x-ndjson, or put them into [ ]",
        ),
        (b'{"a":"\n"}', 'the body is not JSON: invalid character at byte 6, where "\\n\\"}" stands'),
    ],
)
def test_what_cannot_be_split_is_not_json(body: bytes, sentence: str) -> None:
    with pytest.raises(NotJSON) as error:
        split(body, JSON, LIMITS)
    assert error.value.detail == sentence


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        (b"5", JSON, "send one event or a list of them, not `5`"),
        (b"null", JSON, "send one event or a list of them, not `null`"),
        (b'"\xff"', JSON, 'send one event or a list of them, not `"\ufffd"`'),
        (b"[ ]", JSON, "there is no event in the body: send at least one"),
        (b"", NDJSON, "there is no event in the body: send at least one"),
        (b"\r\n \n", NDJSON, "there is no event in the body: send at least one"),
        (b"[" * 100_000, JSON, "nested hundreds of levels deep, more than 64: flatten it, or send the inner part as text"),
    ],
)
def test_json_that_holds_no_event_is_not_an_event(body: bytes, kind: str, sentence: str) -> None:
    with pytest.raises(NotAnEvent) as error:
        split(body, kind, LIMITS)
    assert error.value.detail == sentence and error.value.total == 0


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        ("", "there is no Content-Type: send -H 'Content-Type: application/json', or with curl --json '…' instead of -d '…'"),
        (
            "application/x-www-form-urlencoded",
            "Content-Type application/x-www-form-urlencoded, which is what curl -d sends, is not read here: send -H 'Content-Type: ",
        ),
        ("text/plain", "Content-Type text/plain is not read here: send -H 'Content-Type: application/json'"),
        ("application/json; charset=latin1", "charset latin1 is not read: send UTF-8, and no charset parameter is needed"),
    ],
)
def test_a_content_type_that_is_not_read_is_answered_with_the_fix(kind: str, begins: str) -> None:
    with pytest.raises(Unsupported) as error:
        split(b"{}", kind, LIMITS)
    assert error.value.detail.startswith(begins)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"a":"' + b"x" * 200 + b'"}', JSON),
        (b"{}\n" * 3, NDJSON),
        (b"{}\n\n" * 3, NDJSON),
        (b"[{},{},{}]", JSON),
        (b"[" + b"0," * 60 + b"0]", JSON),
        (b"[" + b"[0,0,0]," * 20 + b"0]", JSON),
    ],
)
def test_what_is_over_a_limit_is_too_large(body: bytes, kind: str) -> None:
    with pytest.raises(TooLarge):
        split(body, kind, Limits(batch_bytes=200, batch_events=2))


def test_one_event_of_very_many_values_is_not_too_many_events() -> None:
    event = json.dumps({"data": [0] * 500, "more": ["]", "[", ",,,"]}).encode()
    assert split(b"[" + event + b" , " + event + b"]", JSON, Limits(batch_events=2)).lines == [event, event]


@pytest.mark.parametrize(
    "body",
    [
        b"[[" + b"1," * (1 << 20) + b"1]]",
        b"[[" + b'"",' * (1 << 20) + b'""]]',
        b"[{" + b",".join(b'"%x":1' % name for name in range(1 << 18)) + b"}]",
        b"[" + b"1," * (1 << 20) + b"1]",
        b'["' + rb"\ud800" * (1 << 19) + b'"]',
        b"[" + rb'"\ud800",' * (1 << 19) + b"1]",
        b"[" + b" " * (1 << 21) + b"]",
        b"[" * (1 << 21),
    ],
    ids=range(8),
)
def test_hostile_mebibytes_are_split_or_refused_in_little_more_memory_than_they_take(body: bytes) -> None:
    limits = Limits(batch_events=1000)
    tracemalloc.start()
    try:
        split(body, JSON, limits)
    except Refused:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 6 * len(body)


@FEW
@given(st.lists(good_events(), max_size=6), st.lists(SPACE, min_size=14, max_size=14), st.integers(1, 6))
def test_a_crowd_is_counted_as_the_decoder_counts_it(lines: list[bytes], space: list[bytes], most: int) -> None:
    gaps = iter(space)
    crowd = b'{"type":"t","source":"s","data":[%b1]}' % (b"1," * 64 * most)  # so many commas are looked at before they are decoded
    body = b"[" + b",".join(next(gaps) + line + next(gaps) for line in (*lines, crowd)) + b"]"
    limits = Limits(batch_events=most)
    if len(lines) + 1 > most:
        with pytest.raises(TooLarge, match=f"more than {most} events"):
            split(body, JSON, limits)
    else:
        assert split(body, JSON, limits).lines == [*lines, crowd]
