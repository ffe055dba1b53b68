"""The bytes of a frame, one by one: a change here is a change of the format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128_hexdigest

from indelible.journal.frame import After, Broken, Found, decode, encode, opening, seed
from indelible.journal.port import Frame

TEXT = b'{"type":"customer.billed","source":"billing","data":{"amount":"12.50"}}\n'
FRAME = Frame("default", 1, TEXT, 1_795_478_400_000_042, "-", "native", bytes(range(16)), bytes(range(32)))
PREV = xxh3_128_hexdigest(b"00000001.journal")


def test_every_byte_of_a_frame_is_as_written_down() -> None:
    line, checksum = encode(FRAME, seed("00000001.journal"), 0, opening(0, None))
    head = (
        b'{"v":1,"log":"default","count":1,"bytes":72,"recorded":"2026-11-24T00:00:00.000042Z","writer":"-","dialect":"native",'
        b'"salts":"AAECAwQFBgcICQoLDA0ODw==","leaves":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",'
        b'"prev":"' + PREV.encode() + b'","safe":0,"position":0,"after":null'
    )
    assert checksum == xxh3_128_hexdigest(head + TEXT)
    assert line == head + b',"checksum":"' + checksum.encode() + b'"}\n'


def test_the_optional_members_stand_where_they_are_written_down() -> None:
    frame = Frame("default", 2, TEXT * 2, 0, 'k"1', "native", bytes(32), bytes(32), {1: "ü"}, {0: 5})
    line, _ = encode(frame, PREV, 99, opening(7, After("00000003.journal", 4096, PREV)))
    after = f'"position":7,"after":{{"file":"00000003.journal","length":4096,"checksum":"{PREV}"}}'
    assert b'"recorded":"1970-01-01T00:00:00.000000Z","writer":"k\\"1"' in line
    assert ('==","ids":{"1":"ü"},"known":{"0":5},"leaves":"').encode() in line.replace(b"A=", b"==").replace(b"===", b"==")
    assert f'"safe":99,{after},"checksum":"'.encode() in line


texts = st.text(max_size=20)
frames = st.builds(
    lambda count, log, recorded, writer, dialect, ids, known, seed: Frame(
        log, count, TEXT * count, recorded, writer, dialect, seed * count, seed * 2, ids, known
    ),
    st.integers(1, 4),
    texts,
    st.integers(0, 253_402_300_799_999_999),
    texts,
    texts,
    st.dictionaries(st.integers(0, 9), texts, max_size=3),
    st.dictionaries(st.integers(0, 9), st.integers(0, 2**53), max_size=3),
    st.binary(min_size=16, max_size=16),
)


@given(frames, st.integers(0, 2**40), st.binary(max_size=9))
def test_a_frame_is_read_back_as_it_was_written_from_the_middle_of_a_buffer(frame: Frame, safe: int, before: bytes) -> None:
    line, checksum = encode(frame, PREV, safe)
    buffer = before + line + frame.text + b"\0\0"
    found = decode(buffer, len(before), 1000)
    assert isinstance(found, Found)
    assert (found.frame, found.prev, found.safe, found.checksum, found.position, found.after) == (frame, PREV, safe, checksum, None, None)
    assert (found.start, found.text, found.end) == (1000, 1000 + len(line), 1000 + len(line) + len(frame.text))


@given(frames, st.data())
def test_any_changed_byte_breaks_the_frame(frame: Frame, data: st.DataObject) -> None:
    whole = bytearray(encode(frame, PREV, 5)[0] + frame.text)
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        found = decode(bytes(whole), 0, 0)
    except Broken:
        return
    assert isinstance(found, int) and found > len(whole)  # a changed length asks for bytes that are not there


@given(frames, st.data())
def test_a_part_of_a_frame_asks_for_more(frame: Frame, data: st.DataObject) -> None:
    whole = encode(frame, PREV, 5)[0] + frame.text
    part = data.draw(st.integers(0, len(whole) - 1))
    wanted = decode(whole[:part], 0, 0)
    assert isinstance(wanted, int) and part < wanted


@given(st.binary(max_size=200))
def test_other_bytes_raise_nothing_but_our_own(content: bytes) -> None:
    for buffer in (content, b'{"v":1,' + content, b'{"v":1,' + content + b',"checksum":"' + b"0" * 32 + b'"}\n'):
        with pytest.raises(Broken):
            assert isinstance(decode(buffer, 0, 0), int)
            raise Broken
