"""Gzip bodies as they were before they were packed, and never more of one than a server takes."""

from __future__ import annotations

import zlib

from indelible.errors import NotJSON, TooLarge

_MEMBERS = 10_000  # of a gzip body: 20 bytes can make one
_PIECE = 256 << 10  # bytes inflated at once: zlib holds the interpreter while it copies them together
_GIVEN = 16 << 10  # bytes to inflate at once


def inflated(body: bytes, most: int) -> bytes:
    """One gzip member or several (RFC 1952, 2.2). Never makes more than `most` bytes and one."""
    pieces: list[bytes] = []
    room, at, packed = most + 1, 0, memoryview(body)
    try:
        for _ in range(_MEMBERS):
            if at == len(body):
                return b"".join(pieces)
            member, size = zlib.decompressobj(wbits=31), 512
            while not member.eof:
                given = packed[at : at + size]  # little at first: zlib copies what lies behind a member's end, and what it had no room for
                pieces.append(member.decompress(given, min(room, _PIECE)))
                if not given and not pieces[-1]:
                    raise NotJSON("the gzip body ends too early")
                room -= len(pieces[-1])
                if not room:
                    raise TooLarge(f"inflated, the body has more than {most} bytes: send several batches")
                at += len(given) - len(member.unused_data if member.eof else member.unconsumed_tail)  # at the end the tail is the same
                size = min(2 * size, _GIVEN)
    except zlib.error as error:
        raise NotJSON(f"the body is not gzip, though Content-Encoding says so: {error}") from None
    raise TooLarge(f"the gzip body has more than {_MEMBERS} members: pack it as one")
