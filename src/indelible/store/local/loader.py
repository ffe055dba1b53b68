"""The child process that loads the tail: reads frames along with the writer and leaves Arrow files, so that no reader costs a write.

`python -m indelible.store.local.loader`: tasks on stdin, answers on stdout, each a length (8 bytes, big-endian) and MessagePack.
It ends when stdin does, and so with the process that started it, in whatever way that ends.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

import pyarrow as pa
from msgspec import Struct, msgpack

from indelible.errors import Damaged
from indelible.journal.port import Place, Placed, Position, Reader
from indelible.store.local.columns import batch
from indelible.store.local.entries import slices
from indelible.store.port import Refusals

EVENTS = 65_536  # a file ends with the frame that brings it to so many journaled events
BYTES = 64 << 20  # or to so many bytes of event lines
PREFIX = 8  # bytes of a message's length


class Task(Struct, frozen=True):
    """Load from `start` up to the position `stop`. `indices`: each log's next index at `start`. `reader` is pickled."""

    directory: str
    reader: bytes
    start: Place
    indices: dict[str, int]
    stop: Position
    refusals: Refusals


class Loaded(Struct, frozen=True, tag=True):
    """A file is whole. It holds the entries from `start` to `next`; `indices` and `indices_next` are each log's next index there."""

    path: str
    start: Place
    next: Place
    indices: dict[str, int]
    indices_next: dict[str, int]
    octets: int  # of event lines between the two places
    content: bytes | None = None  # the file's, where the disk would not take it


class Done(Struct, frozen=True, tag=True):
    """The task is finished."""


class Failed(Struct, frozen=True, tag=True):
    """The task cannot be finished; files that were answered stay good."""

    detail: str
    damaged: bool  # the journal does not hold what was written


Answer = Loaded | Done | Failed


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the parent to act on
    gc.disable()  # nothing here makes cycles
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not pass for an answer
    decoder = msgpack.Decoder(Task)
    while message := _received(sys.stdin.buffer):
        try:
            for answer in _answers(decoder.decode(message)):
                _send(answers, answer)
        except BrokenPipeError:
            return


def _answers(task: Task) -> Iterator[Answer]:
    try:
        yield from load(task)
        yield Done()
    except Damaged as error:
        yield Failed(error.detail, True)
    except Exception as error:  # the parent tells who asked
        yield Failed(f"{type(error).__name__}: {error}", False)


def load(task: Task) -> Iterator[Loaded]:
    """Write the task's entries, a file at a time; a file is answered once it is whole."""
    reader: Reader = pickle.loads(task.reader)
    frames = reader.frames(task.start, task.stop)
    start, before = task.start, task.indices
    while start.position < task.stop:
        after = dict(before)
        chunk = _Chunk(frames)
        entries = batch(slices(chunk, after, task.refusals))
        if chunk.next is None:
            return
        path = os.path.join(task.directory, f"{start.position:020d}-{chunk.next.position:020d}.arrow")
        yield Loaded(path, start, chunk.next, before, after, chunk.bytes, _write(path, entries))
        start, before = chunk.next, after


class _Chunk:
    """The frames of one file, and once they were read, where the next file begins."""

    def __init__(self, frames: Iterator[Placed]) -> None:
        self.events = 0
        self.bytes = 0
        self.next: Place | None = None
        self._frames = frames

    def __iter__(self) -> Iterator[Placed]:
        while self.events < EVENTS and self.bytes < BYTES and (placed := next(self._frames, None)):
            self.events += placed.frame.count
            self.bytes += len(placed.frame.text)
            self.next = placed.next
            yield placed


def _write(path: str, entries: pa.RecordBatch) -> bytes | None:
    """None, or what the file would hold where the disk takes nothing: reading goes on, out of memory until the process ends."""
    try:
        with pa.OSFile(path, "wb") as file:
            _put(file, entries)
    except OSError:
        with suppress(OSError):
            os.unlink(path)
        content = pa.BufferOutputStream()
        _put(content, entries)
        return content.getvalue().to_pybytes()  # type: ignore[no-any-return]
    return None


def _put(file: pa.NativeFile, entries: pa.RecordBatch) -> None:
    with pa.ipc.new_file(file, entries.schema) as writer:
        writer.write_batch(entries)


def _received(pipe: BinaryIO) -> bytes:
    """The next message; empty when the pipe has ended, be it within a message."""
    prefix = pipe.read(PREFIX)
    length = int.from_bytes(prefix) if len(prefix) == PREFIX else 0
    message = pipe.read(length)
    return message if len(message) == length else b""


def _send(pipe: BinaryIO, answer: Answer) -> None:
    message = msgpack.encode(answer)
    pipe.write(len(message).to_bytes(PREFIX) + message)
    pipe.flush()


if __name__ == "__main__":
    main()
