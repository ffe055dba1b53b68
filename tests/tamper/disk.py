"""The table of what is done to the files of a data directory, and what the next start says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from forging import (
    Act,
    checksum_made_anew,
    flipped,
    frame_doubled,
    frame_dropped,
    frames_swapped,
    keys,
    ledger_line,
    member,
    remade,
    with_ids,
)
from msgspec import structs
from trails import files, frames_of, overwrite

from indelible.journal.files import Files
from indelible.journal.frame import encode
from indelible.journal.scan import Tape
from indelible.tree.keys import SigningKey


class Tampering(NamedTuple):
    what: str
    how: str
    act: Act
    says: str  # part of the error


SIGNED = "are not those that were signed"


def _removed(at: int) -> Act:
    return lambda data: files(data)[at].unlink()


def _emptied(data: Path) -> None:
    files(data)[1].write_bytes(b"")


def _cut(data: Path) -> None:
    path = files(data)[1]
    path.write_bytes(path.read_bytes()[: frames_of(path)[-1][0] + 11])


def _cut_between_frames(data: Path) -> None:
    path = files(data)[1]
    path.write_bytes(path.read_bytes()[: frames_of(path)[-1][0]])


def _zeroed(data: Path) -> None:
    overwrite(files(data)[1], 256, bytes(512))


def _swapped(data: Path) -> None:
    one, other = files(data)[1:3]
    text = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(text)


def _copied_over(data: Path) -> None:
    files(data)[1].write_bytes(files(data)[2].read_bytes())


def _last_zeroed(data: Path) -> None:
    path = files(data)[-1]
    start, end = frames_of(path)[-1]
    overwrite(path, start, bytes(end - start))


def _last_replaced(data: Path) -> None:
    """Another event in the last frame, whose own checksum fits again."""
    path = files(data)[-1]
    start, _ = frames_of(path)[-1]
    with Tape(Files(), path) as tape:
        found = tape.frame(start)
    frame = structs.replace(found.frame, text=found.frame.text.replace(b"k-2", b"k-3"))
    line, _ = encode(frame, found.prev, found.safe)
    overwrite(path, start, line + frame.text)


def _marked(content: bytes) -> Act:
    def act(data: Path) -> None:
        _mark(data).write_bytes(content)

    return act


def _unmarked_and_torn(data: Path) -> None:
    """As if the last two requests had never been acknowledged."""
    _last_zeroed(data)
    path = files(data)[-1]
    overwrite(path, frames_of(path)[-1][1] - 9, b"?")
    _mark(data).unlink()


def _mark(data: Path) -> Path:
    return data / "journal" / "closed"


def _begun_later(data: Path) -> None:
    """journal.json says that the oldest file was trimmed."""
    path = data / "journal" / "journal.json"
    path.write_bytes(path.read_bytes().replace(b"00000001.journal", b"00000003.journal"))


def _journal(content: bytes | None) -> Act:
    def act(data: Path) -> None:
        path = data / "journal" / "journal.json"
        path.unlink() if content is None else path.write_bytes(content)

    return act


def _rolled_back(data: Path) -> None:
    """As if the newest frames had never been: the files fit each other, the signed checkpoint does not."""
    remade(lambda held: held[-1].clear())(data)
    files(data)[-1].unlink()


def _without_one(held: list[list[Any]]) -> None:
    del held[1][1]


def _two_swapped(held: list[list[Any]]) -> None:
    held[1][0], held[1][2] = held[1][2], held[1][0]


def _lines_swapped(text: bytes) -> bytes:
    first, second, *rest = text.splitlines(True)
    return b"".join([second, first, *rest])


def _one_more(held: list[list[Any]]) -> None:
    frame = held[1][1]
    text = b'{"id":"forged","type":"t","source":"s"}\n'
    held[1].insert(1, structs.replace(frame, count=1, text=text, salts=frame.salts[:16], ids={}))


def _another_event(text: bytes) -> bytes:
    return text.replace(b"xxx", b"yyy", 1)


def _another_salt(salts: bytes) -> bytes:
    return bytes([salts[0] ^ 1]) + salts[1:]


def _ledger(content: Callable[[bytes], bytes] | None) -> Act:
    def act(data: Path) -> None:
        path = data / "signing" / "checkpoints"
        path.unlink() if content is None else path.write_bytes(content(path.read_bytes()))

    return act


def _flip_in_line(text: bytes) -> bytes:
    at = text.index(b"trail.example")
    return text[:at] + b"u" + text[at + 1 :]


def _last(change: Callable[[str], str]) -> Act:
    """The newest checkpoint of the log, in the file's last line."""

    def act(data: Path) -> None:
        count = len((data / "signing" / "checkpoints").read_bytes().splitlines())
        ledger_line(lambda notes: [change(note) for note in notes], count)(data)

    return act


def _size_raised(note: str) -> str:
    origin, size, rest = note.split("\n", 2)
    return f"{origin}\n{int(size) + 1}\n{rest}"


def _root_changed(note: str) -> str:
    origin, size, root, rest = note.split("\n", 3)
    return f"{origin}\n{size}\n{'A' if root[0] != 'A' else 'B'}{root[1:]}\n{rest}"


def _signature_changed(note: str) -> str:
    return f"{note[:-10]}{'A' if note[-10] != 'A' else 'B'}{note[-9:]}"


def _two_roots(data: Path) -> None:
    _append_line(data, _root_changed)


def _append_line(data: Path, change: Callable[[str], str]) -> None:
    path = data / "signing" / "checkpoints"
    lines = path.read_bytes().splitlines(True)
    path.write_bytes(path.read_bytes() + lines[-1])
    _last(change)(data)


def _another_key(found: Any) -> None:
    key = SigningKey(found["origin"], bytes(32))
    found["keys"] = [{**found["keys"][0], "vkey": key.public.vkey, "secret": key.secret()}]


def _another_secret(found: Any) -> None:
    found["keys"][0]["secret"] = SigningKey(found["origin"], bytes(32)).secret()


def _another_origin(found: Any) -> None:
    found["origin"] = "trial.example"


def _key_file(content: bytes | None) -> Act:
    def act(data: Path) -> None:
        path = data / "signing" / "keys.json"
        path.unlink() if content is None else path.write_bytes(content)

    return act


def _signing_removed(data: Path) -> None:
    shutil.rmtree(data / "signing")


def _all_renamed(data: Path) -> None:
    """Another origin, and a key that fits it."""

    def change(found: Any) -> None:
        key = SigningKey("trial.example", bytes(32))
        found["origin"], found["keys"] = "trial.example", [{**found["keys"][0], "vkey": key.public.vkey, "secret": key.secret()}]

    keys(change)(data)


_without_leaves = remade(member(text=_another_event), leaves=False)

DISK = [
    Tampering("event", "a bit flipped", flipped(b"xxxx"), "the frame's checksum does not hold"),
    Tampering("event", "changed, its frame's checksum made anew", checksum_made_anew, "the frame names another one before it"),
    Tampering("event", "changed, all checksums made anew", _without_leaves, "than those that were hashed"),
    Tampering("event", "changed, all checksums and leaves made anew", remade(member(text=_another_event)), SIGNED),
    Tampering("event", "two of a frame swapped, all made anew", remade(member(text=_lines_swapped)), SIGNED),
    Tampering("event", "one more in the middle, all made anew", remade(_one_more), SIGNED),
    Tampering("salt", "a byte changed", flipped(b'"salts":"', at=10, letter=True), "the frame's checksum does not hold"),
    Tampering("salt", "changed, all made anew", remade(member(salts=_another_salt)), SIGNED),
    Tampering("frame line", "cut off its first byte", flipped(b"{"), "no frame begins here"),
    Tampering("frame line: count", "a bit flipped", flipped(b'"count":', at=8), "the frame's checksum does not hold"),
    Tampering("frame line: bytes", "a bit flipped", flipped(b'"bytes":', at=9), "does not hold"),
    Tampering("frame line: recorded", "a bit flipped", flipped(b'"recorded":"', at=15), "the frame's checksum does not hold"),
    Tampering("frame line: recorded", "changed, all made anew", remade(member(recorded=lambda old: old - 1)), SIGNED),
    Tampering("frame line: writer", "changed, all made anew", remade(member(writer="k1")), SIGNED),
    Tampering("frame line: dialect", "changed, all made anew", remade(member(dialect="cloudevents")), SIGNED),
    Tampering("frame line: log", "another log, all made anew", remade(member(log="default")), "the journal holds 33"),
    Tampering("frame line: ids", "another derived id, all made anew", remade(with_ids), SIGNED),
    Tampering("frame line: leaves", "a bit flipped", flipped(b'"leaves":"', at=11), "the frame's checksum does not hold"),
    Tampering("frame line: prev", "a bit flipped", flipped(b'"prev":"', at=9), "the frame's checksum does not hold"),
    Tampering("frame line: safe", "a bit flipped", flipped(b'"safe":', at=7), "the frame's checksum does not hold"),
    Tampering("frame line: position", "a bit flipped", flipped(b'"position":', 1, 0, 11), "first frame does not hold"),
    Tampering("frame line: after", "a bit flipped", flipped(b'"length":', 1, 0, 10), "first frame does not hold"),
    Tampering("frame line: checksum", "a bit flipped", flipped(b'"checksum":"', at=14), "the frame's checksum does not hold"),
    Tampering("frame", "two swapped", frames_swapped, "the frame names another one before it"),
    Tampering("frame", "two swapped, all made anew", remade(_two_swapped), SIGNED),
    Tampering("frame", "doubled", frame_doubled, "the frame names another one before it"),
    Tampering("frame", "dropped", frame_dropped, "the frame names another one before it"),
    Tampering("frame", "dropped, all made anew", remade(_without_one), "the journal holds"),
    Tampering("last frame", "a bit flipped after a clean stop", flipped(b"k-2", -1, -1), "when it was closed"),
    Tampering("last frame", "zeroed after a clean stop", _last_zeroed, "when it was closed"),
    Tampering("last frame", "changed after a clean stop, its checksum made anew", _last_replaced, "it does not end as closed says"),
    Tampering("journal file", "a page zeroed", _zeroed, "does not hold"),
    Tampering("journal file", "cut inside a frame", _cut, "says that it holds"),
    Tampering("journal file", "cut between two frames", _cut_between_frames, "the file ends inside the frame"),
    Tampering("journal file", "emptied", _emptied, "first frame does not hold"),
    Tampering("journal file", "the first removed", _removed(0), "00000001.journal"),
    Tampering("journal file", "one in the middle removed", _removed(2), "the file is missing"),
    Tampering("journal file", "the last removed after a clean stop", _removed(-1), "the file is missing"),
    Tampering("journal file", "two swapped", _swapped, "first frame does not hold"),
    Tampering("journal file", "one copied over another", _copied_over, "first frame does not hold"),
    Tampering("journal file", "the newest frames gone, all made anew", _rolled_back, "the journal holds"),
    Tampering("end mark", "cut", _marked(b'{"file":"0000'), "not the JSON that was written"),
    Tampering("end mark", "removed, and the last two frames torn", _unmarked_and_torn, "which this start dropped"),
    Tampering("journal.json", "removed", _journal(None), "it is missing, though"),
    Tampering("journal.json", "cut", _journal(b'{"form'), "not the JSON that was written"),
    Tampering("journal.json", "`first` raised: older files look trimmed", _begun_later, "the journal holds"),
    Tampering("checkpoint file", "a bit flipped", _ledger(_flip_in_line), "does not hold its checksum"),
    Tampering("checkpoint file", "removed", _ledger(None), "the file is missing"),
    Tampering("checkpoint file", "emptied", _ledger(lambda text: b""), "not one line of it is whole"),
    Tampering("checkpoint file", "a checkpoint doubled with another root", _two_roots, "two checkpoints of"),
    Tampering("checkpoint", "a larger size, line made anew", _last(_size_raised), "does not hold"),
    Tampering("checkpoint", "another root, line made anew", _last(_root_changed), "does not hold"),
    Tampering("checkpoint", "a signature changed, line made anew", _last(_signature_changed), "does not hold"),
    Tampering("signing directory", "removed", _signing_removed, "is missing, and the journal holds"),
    Tampering("key file", "removed", _key_file(None), "and there are checkpoints that were signed"),
    Tampering("key file", "cut", _key_file(b'{"format":1,"ori'), "not what was written"),
    Tampering("key file", "another private key", keys(_another_secret), "a key that is not the origin's"),
    Tampering("key file", "another key, both halves", keys(_another_key), "not signed by"),
    Tampering("origin", "changed in the key file", keys(_another_origin), "a key that is not the origin's"),
    Tampering("origin", "changed with a key that fits it", _all_renamed, "a log's name never changes"),
]
