"""What is inflated, in pieces, is what was packed, however far it inflates and wherever its members end."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible.errors import NotJSON, TooLarge
from indelible.http.packed import inflated

MOST = 1 << 20
TEXTS = st.one_of(st.binary(max_size=3000), st.integers(0, 700_000).map(bytes), st.just(bytes(range(256)) * 700))


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_it_is_what_was_packed(members: list[bytes]) -> None:
    body, whole = b"".join(map(gzip.compress, members)), b"".join(members)
    if len(whole) <= MOST:
        assert inflated(body, MOST) == whole
    else:
        with pytest.raises(TooLarge):
            inflated(body, MOST)


@pytest.mark.parametrize("size", [MOST - 1, MOST, MOST + 1])
def test_the_limit_is_met_to_the_byte(size: int) -> None:
    body = gzip.compress(bytes(size))
    if size <= MOST:
        assert inflated(body, MOST) == bytes(size)
    else:
        with pytest.raises(TooLarge):
            inflated(body, MOST)


@given(TEXTS, st.data())
def test_what_was_cut_is_no_gzip(text: bytes, data: st.DataObject) -> None:
    body = gzip.compress(text)
    with pytest.raises(NotJSON):
        inflated(body[: data.draw(st.integers(1, len(body) - 1))], MOST)
