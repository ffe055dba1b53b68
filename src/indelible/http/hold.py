"""The bytes that one request holds of those that all may hold together."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol


class Room(Protocol):
    def hold(self, size: int) -> None:
        """Raises Busy if there is no room for `size` more bytes."""

    def release(self, size: int) -> None: ...


class Hold:
    """Of one request; all is given back when it ends."""

    __slots__ = ("_room", "_size")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0

    def __enter__(self) -> Hold:
        return self

    def more(self, size: int) -> None:
        """Raises Busy if there is no room."""
        self._room.hold(size)
        self._size += size

    def keep(self, size: int) -> None:
        """Give back what is above `size`."""
        self._room.release(max(0, self._size - size))
        self._size = min(self._size, size)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._room.release(self._size)
