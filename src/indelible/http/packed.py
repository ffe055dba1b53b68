"""Gzip bodies as they were before they were packed, and never more of one than a server takes."""

from __future__ import annotations

import zlib

from indelible.errors import NotJSON, TooLarge

_MEMBERS = 10_000  # of a gzip body: 20 bytes can make one


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
                if at == len(body):
                    raise NotJSON("the gzip body ends too early")
                given = packed[at : at + size]  # little at first: zlib copies what lies behind a member's end
                pieces.append(member.decompress(given, room))
                room -= len(pieces[-1])
                if not room:
                    raise TooLarge(f"inflated, the body has more than {most} bytes: send several batches")
                at += len(given) - len(member.unused_data)
                size *= 2
    except zlib.error as error:
        raise NotJSON(f"the body is not gzip, though Content-Encoding says so: {error}") from None
    raise TooLarge(f"the gzip body has more than {_MEMBERS} members: pack it as one")
