"""report.html: what the file holds, for people; a function of its other members, so that a check can make it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from msgspec import MsgspecError, Raw, Struct, UnsetType
from msgspec.json import decode

from indelible.client.answers import plain
from indelible.evidence.case import MATCHING, TOUCHING, Case, Line, Tree, proof_name
from indelible.evidence.claims import first_line
from indelible.evidence.matching import read
from indelible.model.event import Actor, Target
from indelible.tree.note import parse_note

_SHOWN = 2000  # characters of an event
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff }
h1 { font-size: 1.5rem }
h2 { font-size: 1.15rem; margin-top: 2rem }
.first { font-size: 1.15rem; border-left: 4px solid #555; padding-left: 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; border-bottom: 1px solid #ddd }
td.event { border-bottom: 2px solid #bbb }
pre, code { font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 }
"""
_HEAD = (
    '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
)


class _Touch(Struct):
    data: Raw = Raw()


def report(case: Case, notes: dict[int, bytes], matching: Iterable[Line], touching: Iterable[Line]) -> Iterator[str]:
    """The page in pieces. `notes` has each tree's checkpoint by its generation. Raises Unproven for entries that are none."""
    first = _text(first_line(case))
    yield f"{_HEAD}<title>{first}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
    yield f'<p class="first">{first}</p>\n<h1>Evidence from the log {_text(case.log)}</h1>\n'
    yield from _facts(case)
    yield f"<h2>Events that match: {case.matching:,}</h2>\n"
    yield from _table(case, matching) if case.matching else ["<p>None.</p>\n"]
    yield from _touched(case, touching)
    for tree in case.trees:
        yield from _signed(tree, notes[tree.generation])
    yield "<h2>How to check it</h2>\n<p>All of it: <code>indelible verify</code>, with the log's key from somewhere else than this file. "
    yield "One event: README.txt, with a shell, coreutils, openssl and the same key.</p>\n</body>\n</html>\n"


def _facts(case: Case) -> Iterator[str]:
    entries = f"from {case.first} up to, not including, {case.last}; the log had {case.size:,} when it was asked"
    every = (
        "every one of them is in this file, so the question can be asked again of them" if case.complete else "those that match are here"
    )
    unsigned = {"Under no checkpoint": f"{case.unsigned:,} of these entries"} if case.unsigned else {}
    facts = {
        "Question": case.question,
        "Entries": f"{entries}; {every}",
        **unsigned,
        "Asked by": f"{case.asked_by} (as they said; nobody signs this)",
        "Asked at": f"{case.asked_at} (UTC, the clock of whoever asked)",
        "Server": case.server,
        "Made with": f"indelible {case.version}",
    }
    yield "<table>\n"
    yield from (f"<tr><th>{name}</th><td>{_text(value)}</td></tr>\n" for name, value in facts.items())
    yield (
        "</table>\n<p>All times are UTC. <b>time</b> is what the sender says, <b>recorded</b> what the server's clock said when it came; "
        "<b>writer</b> is the key that it was sent with, <code>-</code> without one: the source is a claim, the writer is known.</p>\n"
    )


def _table(case: Case, lines: Iterable[Line]) -> Iterator[str]:
    columns = ("index", "time", "recorded", "type", "source", "actor", "outcome", "targets", "writer", "id", "proof")
    yield f"<table>\n<tr>{''.join(f'<th>{column}</th>' for column in columns)}</tr>\n"
    for line in lines:
        header, event = read(line.header, line.salt, line.event)
        outcome = header.outcome if isinstance(header.outcome, str) else ""
        time = header.time if isinstance(header.time, str) else "not given"
        actor = _thing(event.actor) if isinstance(event.actor, Actor) else ""
        targets = ", ".join(map(_thing, event.targets)) if isinstance(event.targets, list) else ""
        cells = (
            str(line.index),
            time,
            header.recorded,
            header.type,
            header.source,
            actor,
            outcome,
            targets,
            header.writer,
            header.id,
            _proof(case, line),
        )
        yield f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>\n"
        yield f'<tr><td class="event" colspan="{len(columns)}"><pre>{_text(_shown(line.event))}</pre></td></tr>\n'
    yield f"</table>\n<p>To the byte, and whole, they are in <code>{MATCHING}/events.ndjson</code>.</p>\n"


def _touched(case: Case, lines: Iterable[Line]) -> Iterator[str]:
    yield f"<h2>What else touched these entries: {case.touching:,}</h2>\n"
    yield "<p>Conflicts (an id was sent again with other bytes, which changed nothing), damage, and new trees. "
    yield "This version knows no erasures and no gaps in what a sender numbered.</p>\n"
    if not case.touching:
        return
    yield "<table>\n<tr><th>index</th><th>recorded</th><th>type</th><th>proof</th><th>what it says</th></tr>\n"
    for line in lines:
        header, _ = read(line.header, line.salt, line.event)
        try:
            data = bytes(decode(line.event, type=_Touch).data)
        except MsgspecError:
            data = b""
        cells = (str(line.index), header.recorded, header.type, _proof(case, line))
        yield f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}<td><pre>{_text(_shown(data))}</pre></td></tr>\n"
    yield f"</table>\n<p>To the byte in <code>{TOUCHING}/events.ndjson</code>.</p>\n"


def _proof(case: Case, line: Line) -> str:
    return proof_name(line.index) if case.tree_of(line.index) else "NOT PROVEN: under no checkpoint"


def _signed(tree: Tree, note: bytes) -> Iterator[str]:
    others = list(dict.fromkeys(by.name for by in parse_note(note).signatures if by.name != tree.origin))
    yield f"<h2>Signed as {_text(tree.origin)}: entries {tree.start} to {tree.start + tree.size - 1}</h2>\n"
    witnesses = f"Cosigned by {', '.join(others)}: check each with its own key." if others else "Cosigned by nobody: the log alone says so."
    yield f"<p>{_text(witnesses)}</p>\n<pre>{_text(note.decode(), lines=True)}</pre>\n"
    yield "<table>\n<tr><th>key</th><th>signs since</th><th>until</th></tr>\n"
    for key in tree.keys:
        yield f"<tr><td><code>{_text(key.vkey)}</code></td><td>{_text(key.since)}</td><td>{_text(key.until or 'now')}</td></tr>\n"
    yield "</table>\n"


def _shown(text: bytes) -> str:
    whole = text.decode(errors="replace")
    return whole if len(whole) <= _SHOWN else f"{whole[:_SHOWN]} … and {len(whole) - _SHOWN:,} characters more"


def _thing(thing: Actor | Target) -> str:
    """`customer:42`, or what there is of it."""
    given: tuple[str | None | UnsetType, ...] = (thing.type, thing.id if isinstance(thing.id, str) else thing.name)
    return ":".join(each for each in given if isinstance(each, str))


def _text(text: str, lines: bool = False) -> str:
    """For a page: nothing of it is markup, and what does not print, such as a change of direction, is escaped."""
    return "\n".join(escape(plain(each)) for each in text.split("\n")) if lines else escape(plain(text))
