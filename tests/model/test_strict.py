import pytest
from hostile import events, good_events
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import encode
from oracle import is_event

from indelible.errors import NotAnEvent, TooLarge
from indelible.model import strict
from indelible.model.event import Limits
from indelible.model.refusal import faults_of

LIMITS = Limits()
HEAD = b'{"type":"payment.charged","source":"paymentservice"'
MANY = settings(max_examples=400)


def text_of(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def accepted(line: bytes) -> bool:
    """Alone, and among good neighbours, which it must neither spoil nor hide behind."""
    among = [HEAD + b"}", line, HEAD + b',"id":"1"}']
    good, faults, total = strict.decode_each(among, LIMITS)
    assert {place for place, _, _ in good} >= {0, 2}
    assert bool(faults) == bool(total) == (len(good) == 2)
    for lines in ([line], among):
        try:
            assert len(strict.decode(text_of(lines), lines, LIMITS)) == len(lines)
            assert total == 0
        except NotAnEvent as error:
            assert total == 1 and error.total == 1
            assert {fault.index for fault in error.faults} == {lines.index(line)}
    return not total


@MANY
@given(st.lists(events(), min_size=1, max_size=40))
def test_each_line_of_a_batch_is_taken_or_refused_as_the_oracle_says(batch: list[tuple[bytes, bool]]) -> None:
    lines = [line for line, _ in batch]
    good, faults, total = strict.decode_each(lines, LIMITS)
    assert [place for place, _, _ in good] == [place for place, (_, ok) in enumerate(batch) if ok]
    assert [line for _, line, _ in good] == [line for line, ok in batch if ok]
    assert total == len(lines) - len(good)
    assert {fault.index for fault in faults} == {place for place, (_, ok) in enumerate(batch) if not ok}


@MANY
@given(st.lists(events(), min_size=1, max_size=6))
def test_a_batch_is_taken_whole_or_refused_whole(batch: list[tuple[bytes, bool]]) -> None:
    lines = [line for line, _ in batch]
    if all(ok for _, ok in batch):
        assert len(strict.decode(text_of(lines), lines, LIMITS)) == len(lines)
    else:
        with pytest.raises(NotAnEvent) as error:
            strict.decode(text_of(lines), lines, LIMITS)
        assert error.value.total == [ok for _, ok in batch].count(False)


@MANY
@given(st.lists(good_events(), min_size=1, max_size=6))
def test_what_was_taken_once_is_decoded_the_same_without_limits(lines: list[bytes]) -> None:
    assert encode(strict.decoded(text_of(lines))) == encode(strict.decode(text_of(lines), lines, LIMITS))


@MANY
@given(events())
def test_words_are_found_for_each_refusal_and_for_nothing_else(one: tuple[bytes, bool]) -> None:
    line, ok = one
    faults = faults_of(line, LIMITS)
    assert bool(faults) != ok
    for fault in faults:
        assert fault.detail.encode() and "decoder" not in fault.detail and not fault.detail.startswith("not an event")
        assert isinstance(fault.pointer, str) and fault.pointer.isascii() and fault.pointer[0] == "#"


@pytest.mark.parametrize(
    "data",
    [
        *(
            rb"1e5",
            rb"-0.0",
            rb"18446744073709551616",
            rb"0.1000",
            rb'"\u00e9"',
            rb'"\/"',
            rb'{"b":1,"a":2,"b":3}',
            rb"1e400",
            rb'"\u0000"',
        ),
        *(
            b"9" * 5000,
            b"null",
            b'" {[ "',
            b"[" * 63 + b"]" * 63,
            b'"' + b"{[" * 200 + b'"',
            rb'"\ud83d\ude00"',
            "\u2028".join('""').encode(),
        ),
    ],
)
def test_data_keeps_its_bytes(data: bytes) -> None:
    for line in (HEAD + b',"data":' + data + b"}", HEAD + b', "data" : ' + data + b" }"):
        (event,) = strict.decode(line + b"\n", [line], LIMITS)
        assert not isinstance(event.data, type(None)) and bytes(event.data) == data  # type: ignore[arg-type]
        assert accepted(line) and is_event(line)


@pytest.mark.parametrize(
    "rest",
    [
        *(
            b',"data":"\xff"',
            b',"data":"\xed\xa0\x80"',
            rb',"data":"\ud800"',
            rb',"data":"\ude00\ud83d"',
            b',"data":"\x01"',
            b',"data":"\r"',
        ),
        *(b',"data":NaN', b',"data":-Infinity', b',"data":01', b',"data":1.', b',"data":.5', b',"data":+1', b',"record":{}', b',"tpye":1'),
        *(
            b',"data":' + b"[" * 64 + b"]" * 64,
            b',"data":' + b"[" * 9999 + b"]" * 9999,
            b',"actor":{"id":"1","id":"2"}',
            rb',"\u0069d":"1","id":"1"',
        ),
        *(rb',"id":null,"id":"1"', b',"data":1,"data":2', b',"targets":[{"changes":[{"old":1,"old":1}]}]', b',"labels":{},"labels":{}'),
        *(
            rb',"schema":"\u0000"',
            rb',"labels":{"\u0000":""}',
            rb',"labels":{"a":"\u0000","a":""}',
            rb',"targets":[{"changes":[{"path":"\u0000"}]}]',
        ),
        *(b',"id":""', b',"id":"' + b"x" * 257 + b'"', b',"time":""', b',"time":1732300000', b',"time":"2026-11-23T09:30:60.000000Z"'),
        *(
            b',"producer":{"sequence":0}',
            b',"producer":{"sequence":9223372036854775808}',
            b',"producer":{"sequence":1e18},"schema":"x","schema":"y"',
        ),
        *(b',"targets":[' + b",".join([b"{}"] * 65) + b"]", b',"labels":{' + b",".join(b'"%d":""' % n for n in range(65)) + b"}"),
        *(
            b',"targets":[null]',
            b',"labels":{"a":null}',
            b',"outcome":{"result":"ok"}',
            b"} " + HEAD,
            b',"data":"' + b"x" * (1 << 20) + b'"',
        ),
        *(rb',"schema":"\u0022\u0022\u0022\u0022","id":"1","id":"2"', rb',"id":"1","id":"2","schema":"\b\f\/"'),
    ],
)
def test_what_some_store_could_not_hold_is_refused(rest: bytes) -> None:
    line = HEAD + rest + b"}"
    assert not is_event(line)
    if len(line) <= LIMITS.event_bytes:
        assert not accepted(line)
    good, faults, total = strict.decode_each([line, HEAD + b"}"], LIMITS)
    assert [place for place, _, _ in good] == [1] and total == 1 and faults[0].index == 0


@pytest.mark.parametrize("kind", [b"", b"indelible.conflict", rb"indelible\u002econflict", rb"a\u0085", rb"a\n", b"a\x7f", b"x" * 257])
def test_types_that_are_refused(kind: bytes) -> None:
    assert not accepted(b'{"type":"' + kind + b'","source":"b"}')


@pytest.mark.parametrize("kind", [b"indelible", b"x.indelible.y", "a\u202eb".encode(), b"a b", b"x" * 256, "😀".encode() * 256])
def test_types_that_are_taken(kind: bytes) -> None:
    assert accepted(b'{"type":"' + kind + b'","source":"b"}')


@pytest.mark.parametrize(
    "rest",
    [
        *(b',"labels":{"a":"1","a":"2"}', b',"id":null,"time":null,"targets":null,"labels":null,"data":null', b',"targets":[],"labels":{}'),
        *(rb',"targets":[{"changes":[{"old":"\u0000","new":{"a":1,"a":2}}]}]', b',"producer":{"sequence":9223372036854775807,"last":true}'),
        *(b',"targets":[' + b",".join([b'{"changes":[{},{}]}'] * 64) + b"]", b',"id":"' + b"x" * 256 + b'"', rb',"schema":"\\u0000"'),
        *(rb',"labels":{"\u0022":"\u0022","\u0022":""}', b',"time":"2026-11-23T09:30:00.9999999+01:00"'),
    ],
)
def test_what_looks_odd_and_is_fine(rest: bytes) -> None:
    assert is_event(HEAD + rest + b"}") and accepted(HEAD + rest + b"}")


@pytest.mark.parametrize("halves", [(b',"data":{', b"}}"), (b',"data":{}', b',"id":"1"}'), (b',"data":', b"{}}"), (b"", b"}")])
def test_lines_that_hold_two_events_and_half_of_one_do_not_even_out(halves: tuple[bytes, bytes]) -> None:
    lines = [HEAD + b"} " + HEAD + b"}", HEAD + halves[0], halves[1]]
    good, _, total = strict.decode_each(lines, LIMITS)
    assert not good and total == 3
    with pytest.raises(NotAnEvent):
        strict.decode(text_of(lines), lines, LIMITS)


def test_a_bad_batch_lists_the_first_hundred_bad_events_and_counts_all() -> None:
    lines = [HEAD + b',"id":7}' if place % 2 else HEAD + b"}" for place in range(500)]
    with pytest.raises(NotAnEvent) as error:
        strict.decode(text_of(lines), lines, LIMITS)
    assert error.value.total == 250
    assert [fault.index for fault in error.value.faults] == list(range(1, 200, 2))
    assert error.value.detail == '250 of 500 events are refused; the first, at index 1: id must be text: write "7" instead of 7'


def test_what_is_over_a_limit_is_too_large() -> None:
    limits = Limits(event_bytes=100, batch_events=2)
    large = HEAD + b',"data":"' + b"x" * 100 + b'"}'
    with pytest.raises(TooLarge) as error:
        strict.decode(text_of([HEAD + b"}", large]), [HEAD + b"}", large], limits)
    assert error.value.faults[0].index == 1
    with pytest.raises(TooLarge):
        strict.decode(text_of([HEAD + b"}"] * 3), [HEAD + b"}"] * 3, limits)
    with pytest.raises(TooLarge):
        strict.decode_each([HEAD + b"}"] * 3, limits)
    _, faults, total = strict.decode_each([HEAD + b"}", large], limits)
    assert total == 1 and faults[0].index == 1


def test_limits_are_the_ones_given() -> None:
    line = HEAD + b',"targets":[{},{}],"labels":{"a":"","b":""}}'
    assert strict.decode(line + b"\n", [line], Limits(targets=2, labels=2, header_characters=15))
    for limits in (Limits(targets=1), Limits(labels=1), Limits(header_characters=14)):
        with pytest.raises(NotAnEvent):
            strict.decode(line + b"\n", [line], limits)


def test_no_lines_are_no_events() -> None:
    assert strict.decode(b"", [], LIMITS) == [] and strict.decode_each([], LIMITS) == ([], [], 0) and strict.decoded(b"") == []
