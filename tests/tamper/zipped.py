"""The table of what is done to an evidence file, and what a check of it says, also where the sums were made anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from indelible.evidence.case import FILES, SUMS

Members = dict[str, bytes]


class Tampering(NamedTuple):
    what: str
    how: str
    act: Callable[[Members], Members]
    says: str
    sums: bool = True  # whether SHA256SUMS is made anew


def _of(name: str, change: Callable[[bytes], bytes]) -> Callable[[Members], Members]:
    return lambda members: {**members, name: change(members[name])}


def _without(name: str) -> Callable[[Members], Members]:
    return lambda members: {each: text for each, text in members.items() if each != name}


def _swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        assert old in text
        return text.replace(old, new, 1)

    return change


def _in_group(group: str, change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Members], Members]:
    """The same with the lines of all four files of a group."""

    def act(members: Members) -> Members:
        return {**members, **{f"{group}/{name}": b"".join(change(members[f"{group}/{name}"].splitlines(True))) for name in FILES}}

    return act


def _case(change: Callable[[Any], None]) -> Callable[[Members], Members]:
    def act(members: Members) -> Members:
        found = json.loads(members["case.json"])
        change(found)
        return {**members, "case.json": json.dumps(found, indent=2, ensure_ascii=False).encode() + b"\n"}

    return act


def _both(one: Callable[[Members], Members], other: Callable[[Members], Members]) -> Callable[[Members], Members]:
    return lambda members: other(one(members))


def _fewer(found: Any) -> None:
    found["matching"] -= 1


def _doubted(found: Any) -> None:
    found["unproven"] = 1


def _shift(found: Any) -> None:
    found["trees"][0]["start"] = 1


def _renamed(found: Any) -> None:
    found["log"] = "other"


def _wider(found: Any) -> None:
    found["filters"] = [["actor.id", "2"]]


def _longer(found: Any) -> None:
    found["to"] -= 1


def _as_if_whole(found: Any) -> None:
    found["complete"] = False


def _one_inside(text: bytes) -> bytes:
    lines = text.splitlines(True)
    lines[7] = lines[7].replace(b'"-"', b'"k"')
    return b"".join(lines)


def _shorter(text: bytes) -> bytes:
    return text[text.index(b"\n") + 1 :]


def _lower(text: bytes) -> bytes:
    first, *rest = text.splitlines(True)
    return b"".join([b"%d\n" % (int(first) - 1), *rest])


def _first_hash(text: bytes) -> bytes:
    lines = text.split(b"\n")
    lines[2] = (b"A" if lines[2][:1] != b"A" else b"B") + lines[2][1:]
    return b"\n".join(lines)


PROOF, NOTE, FEWER = "proofs/1.tlog-proof", "trees/001/checkpoint", _case(_fewer)
HASHES = "does not lead from this entry"
SUM = f"is not what {SUMS} says"

ZIPPED = [
    Tampering("any member", "a byte changed", _of("report.html", _swap(b"Proves", b"proves")), f"report.html {SUM}", sums=False),
    Tampering("any member", "dropped", _without(PROOF), f"is in {SUMS} and not in the file", sums=False),
    Tampering("any member", "one more", lambda of: {**of, "note.txt": b"x"}, f"is not in {SUMS}", sums=False),
    Tampering(SUMS, "a sum changed", _of(SUMS, lambda text: b"0" + text[1:] if text[:1] != b"0" else b"1" + text[1:]), SUM, sums=False),
    Tampering(SUMS, "dropped", _without(SUMS), f"{SUMS} is missing", sums=False),
    Tampering("report.html", "changed", _of("report.html", _swap(b"Proves", b"proves")), "report.html does not say what the other members"),
    Tampering("README.txt", "changed", _of("README.txt", _swap(b"wrong", b"right")), "README.txt does not say what the other members"),
    Tampering("a member that has no place", "added", lambda of: {**of, "note.txt": b"x"}, "note.txt has no place"),
    Tampering("event", "changed", _of("matching/events.ndjson", _swap(b"1.50", b"9.50")), "line 1 (entry 1): the event's bytes"),
    Tampering(
        "salt",
        "changed",
        _of("matching/salts.txt", lambda text: (b"A" if text[:1] != b"A" else b"B") + text[1:]),
        "bytes are not those",
    ),
    Tampering("header", "its digest changed", _of("matching/headers.ndjson", _swap(b'"body":"', b'"body":"0')), "bytes are not those"),
    Tampering("header", "its writer changed", _of("matching/headers.ndjson", _swap(b'"-"', b'"k"')), HASHES),
    Tampering(
        "header",
        "its type changed",
        _of("matching/headers.ndjson", _swap(b"billed", b"killed")),
        "the entry says another type",
    ),
    Tampering("index", "another one", _of("matching/indexes.txt", _lower), "entry 0"),
    Tampering("entry", "dropped from all four files", _in_group("matching", lambda of: of[1:]), "has 5 entries, and case.json says 6"),
    Tampering(
        "entry", "dropped, also from the count", _both(_in_group("matching", lambda of: of[1:]), FEWER), "entry 1 of the range matches"
    ),
    Tampering("entry", "doubled", _in_group("matching", lambda of: [of[0], *of]), "entry 1 stands behind entry 1"),
    Tampering("entry", "two swapped", _in_group("matching", lambda of: [of[1], of[0], *of[2:]]), "stands behind entry"),
    Tampering("entry", "one file a line shorter", _of("matching/salts.txt", lambda of: of[:-25]), "different numbers of lines"),
    Tampering("whole range", "an entry dropped", _in_group("range", lambda of: of[:3] + of[4:]), "entry 3 should stand here"),
    Tampering("whole range", "cut", _in_group("range", lambda of: of[:-1]), "ends before entry"),
    Tampering("whole range", "a header changed", _of("range/headers.ndjson", _one_inside), "are not those of the tree"),
    Tampering("whole range", "the first one's proof changed", _of("range/001-first.tlog-proof", _first_hash), HASHES),
    Tampering("whole range", "the last one's proof changed", _of("range/001-last.tlog-proof", _first_hash), HASHES),
    Tampering("whole range", "said to be none", _case(_as_if_whole), "has no place in an evidence file"),
    Tampering("proof", "a hash changed", _of(PROOF, _first_hash), HASHES),
    Tampering("proof", "its index changed", _of(PROOF, _swap(b"index 1\n", b"index 2\n")), "it is for leaf 2, not 1"),
    Tampering("proof", "dropped", _without(PROOF), f"{PROOF} is missing"),
    Tampering("proof", "its checkpoint another one", _of(PROOF, _swap(b"\n30\n", b"\n29\n")), "its checkpoint is not the one in trees/001"),
    Tampering("checkpoint", "its size changed", _of(NOTE, _swap(b"\n30\n", b"\n29\n")), "the signature of"),
    Tampering("checkpoint", "a signature changed", _of(NOTE, lambda of: of[:-10] + bytes([of[-10] ^ 1]) + of[-9:]), f"{NOTE}: "),
    Tampering("key (vkeys.txt)", "another one first", _of("trees/001/vkeys.txt", lambda of: b"x" + of), "not what case.json says"),
    Tampering(
        "key (vkeys.txt)", "a line dropped", _of("trees/001/vkeys.txt", lambda of: of[of.index(b"\n") + 1 :]), "not what case.json says"
    ),
    Tampering("first entry of a tree (start)", "changed", _of("trees/001/start", lambda of: b"1\n"), "is not what case.json says"),
    Tampering("case.json", "a tree begins later", _case(_shift), "from entry 1 on"),
    Tampering("case.json", "an event said to be under no checkpoint", _case(_doubted), "0 entries of matching/ are under no checkpoint"),
    Tampering("case.json", "another log", _case(_renamed), "is tree 1 of log 'other'"),
    Tampering("case.json", "another question", _case(_wider), "it does not match the question"),
    Tampering("case.json", "a shorter range", _case(_longer), "it is for leaf 29, not 28"),
    Tampering("case.json", "not as it is written", _of("case.json", _swap(b"{", b"{ ")), "is not as it is written"),
]
