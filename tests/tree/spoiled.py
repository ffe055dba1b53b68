"""Bytes that were tampered with, a little and anywhere: what most liars and every broken disk would send."""

from __future__ import annotations

from hypothesis import strategies as st

_PIECES = [b"", b"\n", b" ", b"0", b"1", b"A", b"=", b"+", b"\t", b"\r\n", b"\xe2\x80\x94 ", b"\xff", b"\0"]


def spoiled(original: bytes, data: st.DataObject) -> bytes:
    """`original` with a few bytes replaced, dropped or put in, or a part of it doubled."""
    changed = original
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(changed)))
        end = min(len(changed), at + data.draw(st.integers(0, 3)))
        new = data.draw(st.one_of(st.sampled_from(_PIECES), st.just(changed[at : at + 40])))
        changed = changed[:at] + new + changed[end:]
    return changed
