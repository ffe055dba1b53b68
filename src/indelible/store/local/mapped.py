"""Which files of the tail are mapped: a bound on what readers keep, beyond which answers are slower and never other."""

from __future__ import annotations

import os
from collections import OrderedDict
from threading import Lock

import pyarrow as pa

MEMORY = 1 << 30  # bytes


class Mapped:
    """Files by their path, those longest unused let go above `memory` bytes. For any number of threads."""

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memory
        self._held: OrderedDict[str, tuple[pa.RecordBatch, int]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def entries(self, path: str) -> pa.RecordBatch:
        """The one record batch in the file at `path`; its pages stay for as long as someone holds it. Raises OSError if it is gone."""
        with self._lock:
            held = self._held.get(path)
            if held is None:
                with pa.memory_map(path) as file:
                    held = pa.ipc.open_file(file).get_batch(0), os.path.getsize(path)
                self._held[path] = held
                self._size += held[1]
            self._held.move_to_end(path)
            while self._size > self._memory:
                self._size -= self._held.popitem(last=False)[1][1]
            return held[0]

    def forget(self, path: str) -> None:
        """Nobody asks for it any more."""
        with self._lock:
            self._size -= self._held.pop(path, (None, 0))[1]
