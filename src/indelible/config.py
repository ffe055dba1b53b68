"""What a server runs with: the value in force of each setting and where it came from, and the service that these make."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from indelible.errors import Misconfigured
from indelible.model.event import Limits
from indelible.model.settings import BY_NAME, SETTINGS, Setting, is_loopback, size_text

if TYPE_CHECKING:
    from indelible.http.service import Service
    from indelible.journal.port import Journal
    from indelible.signing.directory import Opened

Progress = Callable[[int, int], None]

FILE = Path("indelible.toml")  # read if it is there and no other file is named
FILE_VARIABLE = "INDELIBLE_CONFIG"
OTHER_VARIABLES = (FILE_VARIABLE, "INDELIBLE_URL")  # not settings of a server: where its file is, and where clients find it

# What Kubernetes puts into every pod beside a Service whose name begins with "indelible", as its documentation lists it.
_KUBERNETES = re.compile(r"INDELIBLE_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
_KUBERNETES_PORT = re.compile(r"(tcp|udp|sctp)://.*")
_TWINS = {
    "host": "address addr bind listen hostname interface",
    "data": "dir directory path data_dir datadir storage volume",
    "key": "token api_key apikey secret password bearer",
    "logs": "log tenant tenants",
    "origin": "name log_name public_url",
    "policy": "witnesses witness quorum policy_file witness_policy",
}
_MEANT = {twin: name for name, twins in _TWINS.items() for twin in twins.split()}


class Settings(Struct, frozen=True):
    """The values in force. `origins` says of each where it came from: a flag, a variable, the file's path, or `default`."""

    host: str
    port: int
    data: Path
    key: str | None
    logs: tuple[str, ...]
    origin: str | None
    policy: Path | None
    witness_timeout: int
    limits: Limits
    in_flight: int
    quick: bool
    workers: int
    tail_memory: int
    connections: int
    head_timeout: int
    stall_timeout: int
    idle_timeout: int
    read_only: bool
    ack_timeout: int
    fsck_rate: int
    journal_file_size: int
    reserve: int
    origins: dict[str, str]

    def rows(self) -> list[tuple[str, str, str]]:
        """Name, value for people and origin of each setting, in the table's order. No secret is in it."""
        return [(setting.name, self._shown(setting), self.origins[setting.name]) for setting in SETTINGS]

    def described(self, name: str) -> str:
        """`name is value (origin)`, as errors say it."""
        return f"{name} is {self._shown(BY_NAME[name])} ({self.origins[name]})"

    def _shown(self, setting: Setting) -> str:
        value = getattr(self.limits if hasattr(self.limits, setting.name) else self, setting.name)
        if setting.secret:
            return "(set)" if value else "(not set)"
        return setting.show(value)

    def __repr__(self) -> str:  # a traceback or a log must not show the key
        return f"Settings({', '.join(self.described(setting.name) for setting in SETTINGS)})"


def load(flags: Mapping[str, str | None], environ: Mapping[str, str]) -> Settings:
    """The settings in force: a flag over a variable over the file over the default. `flags` are texts by name, with `config` for the file.

    Raises Misconfigured naming the setting, where it came from, its value (never a secret's) and what would be right.
    """
    environ = {name: value for name, value in environ.items() if name.startswith("INDELIBLE_") and not _kubernetes(name, value)}
    _refuse_unknown("variable", environ.keys() - OTHER_VARIABLES, {setting.variable: setting.name for setting in SETTINGS})
    path, table = _file(flags.get("config"), environ.get(FILE_VARIABLE))
    _refuse_unknown(f"{path}: setting", table, {name: name for name in BY_NAME})
    values: dict[str, Any] = {}
    origins = {}
    for setting in SETTINGS:
        given: Iterable[tuple[object, str]] = (
            (flags.get(setting.name), f"flag {setting.flag}"),
            (environ.get(setting.variable), f"variable {setting.variable}"),
            (table.get(setting.name), str(path)),
        )
        value, origins[setting.name] = next(((value, origin) for value, origin in given if value is not None), (None, "default"))
        values[setting.name] = setting.default if value is None else _read(setting, value, origins[setting.name])
    limits = Limits(**{name: values.pop(name) for name in Limits.__struct_fields__})
    settings = Settings(**values, limits=limits, origins=origins)
    _refuse_contradictions(settings)
    return settings


def compose(settings: Settings, progress: Progress) -> Service:
    """The service with its backends, its journal read but not yet folded. May take long: `progress` gets bytes read and in all.

    Raises what `open_file_journal`, `open_snapshot` and `open_signing` do, and Misconfigured for a data directory that this process may not
    use.
    """
    from indelible.http.connection.warden import Patience
    from indelible.http.scrub import Scrub
    from indelible.http.service import Service
    from indelible.http.witnesses import asked, read_policy
    from indelible.journal.file import open_file_journal
    from indelible.journal.snapshot import open_snapshot
    from indelible.journal.timed import Timed
    from indelible.log.proofs import Proofs
    from indelible.log.publisher import Publisher
    from indelible.log.recorder import Recorder
    from indelible.log.workshop import Workshop
    from indelible.signing.directory import read_signing
    from indelible.store.local.tail import Tail

    policy = read_policy(settings.policy, settings.described("policy")) if settings.policy else None
    # TODO(engines): one machine's disk; NATS JetStream, Redis Streams and MongoDB come behind the same two ports.
    files = Timed()
    journal: Journal
    try:
        if settings.read_only:
            journal, cache = open_snapshot(settings.data, files=files, progress=progress), None
            signing = read_signing(settings.data)
        else:
            size, reserve = settings.journal_file_size, settings.reserve
            journal = open_file_journal(settings.data, file_size=size, reserve=reserve, files=files, progress=progress)
            cache = settings.data / "tail"
            signing = _signing(settings, journal)
        store = Tail(cache, journal.reader(), journal.first, recorder := Recorder(journal), settings.tail_memory)
    except OSError as error:
        raise unusable(settings, error) from error
    proofs, dropped = Proofs(recorder, journal.reader()), journal.dropped
    identity, halted, reading = signing.identity, signing.halted, settings.read_only
    publisher = Publisher(proofs, signing.ledger, identity, settings.logs, time, halted=halted, reading=reading, dropped=dropped)
    return Service(
        journal,
        recorder,
        store,
        settings.logs,
        settings.limits,
        settings.key,
        settings.in_flight,
        Patience(settings.connections, settings.head_timeout, settings.stall_timeout, settings.idle_timeout),
        settings.quick,
        Workshop(settings.workers) if settings.workers > 1 and not settings.read_only else None,
        settings.read_only,
        files.syncs,
        proofs=proofs,
        publisher=publisher,
        witnesses=asked(policy, publisher, settings.witness_timeout) if policy else None,
        ack_timeout=settings.ack_timeout,
        scrub=Scrub(recorder, journal, settings.fsck_rate),
    )


def _signing(settings: Settings, journal: Journal) -> Opened:
    """The signing directory. If it cannot be opened, the journal is let go again."""
    from indelible.journal.files import Files
    from indelible.signing.directory import open_signing

    try:
        return open_signing(Files(), settings.data, settings.origin, int(time()), journal.end.position)
    except BaseException:
        asyncio.run(journal.close())
        raise


def unusable(settings: Settings, error: OSError) -> Misconfigured:
    """The error for a data directory that this process may not use."""
    reason = f"{error.strerror} ({error.filename})"
    hint = "let this process write there, or choose another directory"
    return Misconfigured(f"{settings.described('data')} and cannot be used: {reason}: {hint}")


def _kubernetes(name: str, value: str) -> bool:
    return bool(_KUBERNETES.fullmatch(name) or (name.endswith("_PORT") and _KUBERNETES_PORT.fullmatch(value)))


def _refuse_unknown(what: str, given: Iterable[str], known: Mapping[str, str]) -> None:
    """`known`: how each setting is written here → its name."""
    written = {name: text for text, name in known.items()}
    for text in sorted(set(given) - known.keys()):
        bare = text.lower().replace("-", "_").removeprefix("indelible_")
        near = _MEANT.get(bare) or next(iter(get_close_matches(bare, written, 1)), None)
        hint = f"did you mean {written[near]}?" if near else f"there are {', '.join(known)}"
        raise Misconfigured(f"{what} {text} is unknown: {hint}")


def _file(flag: str | None, variable: str | None) -> tuple[Path, dict[str, Any]]:
    """The file and what it says. Relative paths in it are meant from where it stands."""
    named = flag if flag is not None else variable
    path = FILE if named is None else Path(named)
    origin = "" if named is None else " (flag --config)" if flag is not None else f" (variable {FILE_VARIABLE})"
    try:
        table = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        if named is None:
            return path, {}
        raise Misconfigured(f"there is no file {path}{origin}: name one that is there, or none") from None
    except OSError as error:
        raise Misconfigured(f"{path}{origin} cannot be read: {error.strerror}: name a readable TOML file") from None
    except (ValueError, RecursionError) as error:
        raise Misconfigured(f"{path}{origin} is not TOML: {error}") from None
    for name in ("data", "policy"):
        if isinstance(value := table.get(name), str) and value and (name, value) != ("policy", "none"):
            table[name] = str(path.parent / value)
    return path, table


def _read(setting: Setting, value: object, origin: str) -> Any:
    try:
        return setting.read(value)
    except ValueError as right:
        shown = "" if setting.secret else f" is {json.dumps(value, ensure_ascii=False, default=str)[:80]}"
        raise Misconfigured(f"{setting.name}{shown} ({origin}): it must be {right}") from None


def _refuse_contradictions(settings: Settings) -> None:
    """What each value may be alone and not beside the others."""
    limits, described = settings.limits, settings.described
    if limits.event_bytes > limits.batch_bytes:
        raise Misconfigured(f"{described('event_bytes')}: it must be at most batch_bytes, and {described('batch_bytes')}")
    if settings.in_flight < 2 * limits.batch_bytes:  # a packed body and what it inflates to are held together
        least = size_text(2 * limits.batch_bytes)
        raise Misconfigured(f"{described('in_flight')}: it must be at least twice batch_bytes, {least}: {described('batch_bytes')}")
    if settings.key is None and not is_loopback(settings.host):
        raise Misconfigured(
            f"{described('host')}, which others can reach, and there is no key: "
            "set INDELIBLE_KEY to 32 characters or more, or listen on 127.0.0.1"
        )
