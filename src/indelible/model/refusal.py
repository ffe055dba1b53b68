"""Why one line is no event: where, which value, and the right form. Slow and thorough; the door itself is strict.py."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from typing import TypeGuard

from msgspec import MsgspecError, inspect
from msgspec.json import Decoder

from indelible.errors import Fault
from indelible.model import syntax, times, wording
from indelible.model.event import DEPTH, RESERVED, Event, Limits, Result
from indelible.model.syntax import shown
from indelible.model.wording import At

MOST = 20  # faults that one event is told of
_FAR = 1000  # elements of a list that are looked at one by one: a hostile megabyte holds 300,000
_CONTROL = re.compile("[\x01-\x1f\x7f-\x9f]")  # Cc, but for U+0000, which is refused everywhere
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE = re.compile(rb"[1-9][0-9]{0,18}")
_HALF = "half of a surrogate pair: it stands for no character"
_DECODER = Decoder(Event)
_EVENT = inspect.type_info(Event)

Object = tuple[tuple[str, object], ...]  # as syntax.parse gives it


def faults_of(line: bytes, limits: Limits) -> list[Fault]:
    """What is wrong with the event in `line`, at most 20 faults; at least one if the door refuses it. Raises nothing."""
    if len(line) > limits.event_bytes:
        return [Fault(wording.oversized(len(line), limits), pointer="#")]
    try:
        event = syntax.parse(line)
    except syntax.NotOneValue as error:
        return [Fault(wording.unparsed(str(error)), pointer="#")]
    except syntax.TooDeep:
        return [Fault(wording.too_deep("hundreds of"), pointer="#")]
    if (depth := syntax.depth(line)) > DEPTH:
        return [Fault(wording.too_deep(str(depth)), pointer="#")]
    if not _is_object(event):
        return [Fault(f"an event is a JSON object, not {wording.kind_of(event)}: {shown(event)}", pointer="#")]
    walk = _Walk(limits)
    with suppress(_Enough):
        walk.value(event, _EVENT, At())
    if not any(_HALF in fault.detail for fault in walk.faults) and (lone := syntax.lone_surrogate(line)):
        walk.faults.append(Fault(f"at byte {lone[0]} stands {lone[1]}, {_HALF}", pointer="#"))
    return walk.faults or _far_off(line, event)


def repeats(line: bytes) -> bool:
    """Whether a member that must stand once stands twice, in a line that the decoder took."""
    return _repeats(syntax.parse(line), _EVENT)


def _repeats(value: object, kind: inspect.Type) -> bool:
    kind = _present(kind)
    if isinstance(kind, inspect.StructType) and _is_object(value):
        members = _members(kind.cls)
        return len({name for name, _ in value}) < len(value) or any(_repeats(member, members[name].type) for name, member in value)
    if not isinstance(kind, inspect.ListType) or not isinstance(value, list):
        return False
    if isinstance(kind.item_type, inspect.StructType) and _texts(kind.item_type.cls) is not None:
        return any(len(dict(item)) < len(item) for item in value)
    return any(_repeats(item, kind.item_type) for item in value)


def holds_nul(line: bytes) -> bool:
    """Whether U+0000 stands in a text or a label's name, in a line that the decoder took."""
    return _holds_nul(syntax.parse(line), _EVENT)


def _holds_nul(value: object, kind: inspect.Type) -> bool:
    match _present(kind):
        case inspect.StructType() as struct if _is_object(value):
            members = _members(struct.cls)
            return any(_holds_nul(member, members[name].type) for name, member in value)
        case inspect.ListType() as elements if isinstance(value, list):
            item = elements.item_type
            if isinstance(item, inspect.StructType) and (texts := _texts(item.cls)) is not None:
                return any(name in texts and isinstance(member, str) and "\0" in member for each in value for name, member in each)
            return any(_holds_nul(each, item) for each in value)
        case inspect.DictType() as labels if _is_object(value):
            return any("\0" in name or _holds_nul(member, labels.value_type) for name, member in value)
        case inspect.StrType():
            return isinstance(value, str) and "\0" in value
    return False


class _Enough(Exception):
    """So many faults were found that more would help nobody."""


class _Walk:
    """One look through a parsed event along the types of its members; collects what is wrong."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.faults: list[Fault] = []

    def say(self, at: At, sentence: str) -> None:
        self.faults.append(Fault(sentence, pointer=at.pointer))
        if len(self.faults) >= MOST:
            raise _Enough

    def value(self, value: object, kind: inspect.Type, at: At) -> None:
        """Holds `value` against the type of its member; null is the absence of an optional one."""
        if isinstance(kind, inspect.UnionType) and value is None:
            return
        match _present(kind):
            case inspect.StructType() as struct:
                self.struct(value, struct, at)
            case inspect.ListType() as sequence:
                self.elements(value, sequence, at)
            case inspect.DictType():
                self.labels(value, at)
            case inspect.EnumType():
                if not isinstance(value, str) or value not in Result.__members__:
                    self.say(at, wording.no_result(value, at))
            case inspect.IntType():
                self.sequence(value, at)
            case inspect.BoolType():
                if not isinstance(value, bool):
                    self.say(at, f"{at.path} must be true or false, not {shown(value)}")
            case inspect.StrType():
                self.text(value, at)

    def struct(self, value: object, kind: inspect.StructType, at: At) -> None:
        if not _is_object(value):
            self.say(at, wording.no_object(value, kind.cls, at))
            return
        members = _members(kind.cls)
        present = {name for name, _ in value}
        seen: set[str] = set()
        for name, member in value:
            if name in seen:
                self.say(at / name, f"{(at / name).path} {wording.TWICE}")
            elif name in members:
                self.value(member, members[name].type, at / name)
            else:
                self.say(at / name, wording.unknown(name, list(members), present, at))
            seen.add(name)
        for name, field in members.items():
            if field.required and name not in present:
                self.say(at / name, f"{name} is missing: every event has one, such as {wording.EXAMPLES[name]}")

    def elements(self, value: object, kind: inspect.ListType, at: At) -> None:
        if not isinstance(value, list):
            assert isinstance(kind.item_type, inspect.StructType)
            self.say(at, wording.no_list(value, kind.item_type.cls, at))
            return
        most = self.limits.targets if at.names == ("targets",) else len(value)
        if len(value) > most:
            self.say(at, f"{at.path} has {len(value)} elements, more than {most}: send several events")
        for place, item in enumerate(value[: min(most, _FAR)]):
            self.value(item, kind.item_type, at / place)

    def labels(self, value: object, at: At) -> None:
        if not _is_object(value):
            self.say(at, f'{at.path} must be an object of texts such as {{"team": "payments"}}, not {shown(value)}')
            return
        count = len({name for name, _ in value})
        if count > self.limits.labels:
            self.say(at, f"{at.path} has {count} members, more than {self.limits.labels}: what is more goes into data")
        for name, text in value:
            if not isinstance(text, str) or not _plain(name + text):
                self.characters(name, at / name, f"the label's name {shown(name)}")
                self.text(text, at / name)

    def text(self, value: object, at: At) -> None:
        if not isinstance(value, str):
            self.say(at, wording.no_text(value, at))
            return
        self.characters(value, at, at.path)
        if at.names in (("type",), ("source",), ("id",)):
            self.header(value, at)
        elif at.names == ("time",):
            try:
                times.canonical(value)
            except ValueError as error:
                self.say(at, f"time {error}")

    def characters(self, text: str, at: At, name: str) -> None:
        if "\0" in text:
            self.say(at, f"{name} {wording.NUL}")
        if not text.isascii() and (lone := _SURROGATE.search(text)):
            self.say(at, f"{name} holds \\u{ord(lone[0]):04x}, {_HALF}")

    def header(self, text: str, at: At) -> None:
        name, most = at.path, self.limits.header_characters
        if not text:
            right = "leave it out to have one assigned" if name == "id" else f"write one such as {wording.EXAMPLES[name]}"
            self.say(at, f"{name} is empty: {right}")
        if len(text) > most:
            self.say(at, f"{name} has {len(text)} characters, more than {most}: {shown(text)}")
        if name == "type" and (control := _CONTROL.search(text)):
            self.say(at, f"type {shown(text)} holds the control character U+{ord(control[0]):04X}: leave it out")
        if name == "type" and text.startswith(RESERVED):
            self.say(at, f"type {shown(text)} is the service's own: types under `{RESERVED}` are not taken from outside")

    def sequence(self, value: object, at: At) -> None:
        if isinstance(value, str) and value.isascii() and _WHOLE.fullmatch(value.encode()):
            self.say(at, f"{at.path} must be a number: write {value} instead of {shown(value)}")
        elif not isinstance(value, bytes) or not _WHOLE.fullmatch(value) or int(value) >= 1 << 63:
            self.say(at, f"{at.path} must be a whole number from 1 to {(1 << 63) - 1}, not {shown(value)}")


def _is_object(value: object) -> TypeGuard[Object]:
    return isinstance(value, tuple)


def _plain(text: str) -> bool:
    return text.isascii() and "\0" not in text


@cache
def _members(struct: type) -> dict[str, inspect.Field]:
    kind = inspect.type_info(struct)
    assert isinstance(kind, inspect.StructType)
    return {field.name: field for field in kind.fields}


@cache
def _texts(struct: type) -> frozenset[str] | None:
    """The texts of an object without objects and lists to look into, of which an event may have many; None for others."""
    kinds = {name: _present(member.type) for name, member in _members(struct).items()}
    texts = frozenset(name for name, each in kinds.items() if isinstance(each, inspect.StrType))
    return texts if all(isinstance(each, inspect.StrType | inspect.RawType) for each in kinds.values()) else None


def _present(kind: inspect.Type) -> inspect.Type:
    """The type of an optional member that is there."""
    if isinstance(kind, inspect.UnionType):
        return next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind


def _far_off(line: bytes, event: Object) -> list[Fault]:
    """What the walk did not come to; nothing if the event is a good one."""
    try:
        _DECODER.decode(line)
    except (MsgspecError, ValueError, RecursionError) as error:
        return [Fault(f"not an event: {error}", pointer="#")]
    if _repeats(event, _EVENT):
        return [Fault(f"beyond the first {_FAR} elements of a list a member {wording.TWICE}", pointer="#/targets")]
    if _holds_nul(event, _EVENT):
        return [Fault(f"beyond the first {_FAR} elements of a list {wording.NUL}", pointer="#/targets")]
    return []
