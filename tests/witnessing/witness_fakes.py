"""What the tests of witnesses stand on: logs that grow, fork and shrink, an honest witness, a loopback server, a clock that is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from hashlib import sha256

from indelible.errors import Malformed, Unproven
from indelible.log.generations import Generation
from indelible.log.shown import Published, Shown
from indelible.log.witnessing.asking import Answer, Outcome, Unanswered
from indelible.log.witnessing.quorum import Quorum
from indelible.log.witnessing.witnesses import LANES, Checkpoints, Clock, Line, Witnesses
from indelible.tree.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from indelible.tree.cosignature import Witness
from indelible.tree.keys import SigningKey
from indelible.tree.merkle import EMPTY_ROOT, Hash, Tree, leaf_hash
from indelible.tree.note import Key, Signature, parse_note
from indelible.tree.policy import Policy, parse_policy
from indelible.tree.proofs import consistency_proof, verify_consistency
from indelible.tree.witness import SIZE_TYPE, parse_addition

ORIGIN = "trail.example/v1/logs"
TIME = 1_800_000_000


@cache
def signing(name: str) -> SigningKey:
    return SigningKey(name, sha256(name.encode()).digest())


def policy_of(*names: str, quorum: str = "all", urls: Sequence[str] = ()) -> Policy:
    """Witnesses `w1`, `w2`, … at these URLs, in one group."""
    where = urls or [f"https://{name}.example" for name in names]
    keys = [Witness(signing(name), TIME).public.vkey for name in names]
    lines = [f"witness {name} {key} {url}" for name, key, url in zip(names, keys, where, strict=True)]
    return parse_policy("\n".join([*lines, f"group q {quorum} {' '.join(names)}", "quorum q"]).encode())


class Logs(Checkpoints):
    """Logs in memory, published as the publisher does. A line that does not verify fails the test that put it there."""

    def __init__(self, policy: Policy) -> None:
        self.on_published: list[Callable[[Published], None]] = []
        self.quorum = Quorum(policy)
        self.keys = {(each.key.name, each.key.id): each.key for each in policy.witnesses.values()}
        self.leaves: dict[str, list[bytes]] = {}
        self.shown: dict[str, Shown] = {}
        self.added: list[tuple[str, int, Signature]] = []

    def grow(self, log: str, entries: int, salt: str = "") -> None:
        """So many entries more, and a checkpoint."""
        shown = self.shown.setdefault(log, Shown(log, Generation(1, 0, Tree()), f"{ORIGIN}/{log}"))
        leaves = self.leaves.setdefault(log, [])
        more = [leaf_hash(f"{log} {len(leaves) + at}{salt}".encode()) for at in range(entries)]
        leaves += more
        shown.generation.tree.extend(more)
        self.publish(log)

    def publish(self, log: str) -> None:
        shown = self.shown[log]
        tree = shown.generation.tree
        checkpoint = Checkpoint(shown.origin, tree.size, tree.root())
        published = shown.show(checkpoint, sign_checkpoint(checkpoint, [signing(shown.origin)]))
        for tell in list(self.on_published):
            tell(published)

    def tick(self) -> None:
        """What was cosigned is durable, and shown."""
        for shown in self.shown.values():
            for checkpoint, note in shown.take_cosigned():
                shown.show_cosigned(checkpoint, note, self.quorum.is_witnessed(note))

    def witnessed(self, log: str) -> int:
        self.tick()
        shown = self.shown[log].witnessed
        return shown.checkpoint.size if shown else 0

    def cosigners(self, log: str) -> set[str]:
        """Whose lines are under the newest checkpoint."""
        self.tick()
        latest = self.shown[log].latest
        assert latest is not None
        return {line.name for line in parse_note(latest.note).signatures} - {self.shown[log].origin}

    def latest(self, log: str) -> Published | None:
        return self.shown[log].latest if log in self.shown else None

    def keep(self, log: str, size: int) -> None:
        self.shown[log].keep(size)

    def add_cosignatures(self, log: str, size: int, lines: Iterable[Signature]) -> bool:
        lines = list(lines)
        known = self.shown[log].at(size)
        for line in lines:
            key = self.keys[line.name, line.id]
            text = Checkpoint(self.shown[log].origin, size, _root(self.leaves[log][:size])).text
            key.verify(text, line.payload)
            assert known is None or parse_note(known.note).text == text
            self.added.append((log, size, line))
        return self.shown[log].cosign(size, lines)

    async def consistency(self, log: str, old: int, new: int) -> list[Hash]:
        tree, leaves = self.shown[log].generation.tree, self.leaves[log]
        return consistency_proof(old, new, lambda level, start, stop: tree.hashes(level, start, stop) if level else leaves[start:stop])


def _root(leaves: Sequence[bytes]) -> Hash:
    tree = Tree()
    tree.extend(leaves)
    return tree.root()


class Honest:
    """A witness as c2sp.org/tlog-witness wants it. `state` is what it has on its disk; `trusted` gives the key of an origin it knows."""

    def __init__(self, name: str, trusted: Callable[[str], Key | None] | None = None) -> None:
        self.name = name
        self.state: dict[str, tuple[int, Hash]] = {}
        self.asked: list[tuple[str, int, int]] = []  # origin, old, size
        self._trusted = trusted or (lambda origin: signing(origin).public if origin.startswith(ORIGIN) else None)

    def answer(self, body: bytes) -> tuple[int, str, bytes]:
        """Status, content type, body."""
        try:
            old, proof, data = parse_addition(body)
            origin = parse_note(data).text.partition("\n")[0]
        except Malformed:
            return 400, "text/plain", b"invalid\n"
        key = self._trusted(origin)
        if key is None:
            return 404, "text/plain", b"unknown log\n"
        try:
            opened = open_checkpoint(data, origin, [key])
        except Unproven:
            return 403, "text/plain", b"invalid signature\n"
        checkpoint = opened.checkpoint
        self.asked.append((origin, old, checkpoint.size))
        size, root = self.state.get(origin, (0, EMPTY_ROOT))
        if old > checkpoint.size:
            return 400, "text/plain", b"old\n"
        if old != size:
            return 409, SIZE_TYPE, b"%d\n" % size
        try:
            verify_consistency(size, root, checkpoint.size, checkpoint.root, proof)
        except Unproven:
            return 422, "text/plain", b"bad proof\n"
        self.state[origin] = checkpoint.size, checkpoint.root
        return 200, "text/plain", Witness(signing(self.name), TIME).sign(opened.note.text).line.encode()


Behaviour = Callable[[bytes], Answer | Exception]
"""What a witness says to a body."""


def plainly(witness: Honest) -> Behaviour:
    def behave(body: bytes) -> Answer:
        status, _, said = witness.answer(body)
        return Answer(status, "", said)

    return behave


class Wire:
    """A line to a witness in this process."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave

    async def __call__(self, body: bytes) -> Answer:
        await asyncio.sleep(0)
        answer = self._behave(body)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        pass


DOWN = Unanswered("connection refused")


class TestClock(Clock):
    """A clock that stands still until it is told, and knows when nobody has anything to do."""

    __test__ = False

    def __init__(self) -> None:
        self.time = 0.0
        self._waiting: list[tuple[asyncio.Event, float | None]] = []
        self._changed = asyncio.Event()

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return TIME + self.time

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        event.clear()
        place = (event, until)
        self._waiting.append(place)
        self._changed.set()
        try:
            await event.wait()
        finally:
            self._waiting.remove(place)

    async def quiet(self, lanes: int) -> None:
        """Return when so many lanes wait and none has been woken."""
        while len(self._waiting) < lanes or any(event.is_set() for event, _ in self._waiting):
            self._changed.clear()
            await self._changed.wait()

    def next(self) -> float | None:
        return min((until for _, until in self._waiting if until is not None), default=None)

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for event, until in self._waiting:
            if until is not None and until <= self.time:
                event.set()


class Told(list[tuple[str, str, Outcome]]):
    """What an operator was told."""

    def __call__(self, witness: str, log: str, outcome: Outcome, detail: str) -> None:
        assert detail
        self.append((witness, log, outcome))


class Stage:
    """Witnesses at work on `logs`."""

    def __init__(self, witnesses: Witnesses, logs: Logs, clock: TestClock, told: Told, lanes: int, task: asyncio.Task[None]) -> None:
        self.witnesses = witnesses
        self.logs = logs
        self.clock = clock
        self.told = told
        self._lanes = lanes
        self._task = task

    async def quiet(self) -> None:
        """Return when all that can be done now was done. Raises what has ended the witnesses."""
        quiet = asyncio.create_task(self.clock.quiet(self._lanes))
        await asyncio.wait([self._task, quiet], return_when=asyncio.FIRST_COMPLETED)
        quiet.cancel()
        if self._task.done():
            await self._task

    async def later(self, seconds: float) -> None:
        """Let so much time pass, in steps from one thing that is due to the next."""
        end = self.clock.time + seconds
        await self.quiet()
        while (due := self.clock.next()) is not None and due <= end:
            self.clock.advance(max(0.0, due - self.clock.time))
            await self.quiet()
        self.clock.advance(max(0.0, end - self.clock.time))
        await self.quiet()


@asynccontextmanager
async def at_work(policy: Policy, logs: Logs, connect: Callable[[str], Line]) -> AsyncIterator[Stage]:
    clock, told = TestClock(), Told()
    witnesses = Witnesses(policy, logs, connect, told, clock, lambda: 1.0)
    task = asyncio.create_task(witnesses.run(list(logs.shown)))
    stage = Stage(witnesses, logs, clock, told, LANES * sum(1 for each in policy.witnesses.values() if each.url), task)
    try:
        await stage.quiet()
        yield stage
    finally:
        logs.on_published.clear()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


Served = Callable[[bytes], Awaitable[bytes | None]]
"""The bytes of an answer to a body; None leaves the connection open without one."""


@asynccontextmanager
async def serving(answer: Served) -> AsyncIterator[str]:
    """A server on loopback that reads requests as HTTP and writes whatever bytes it is given. Gives its URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"POST /prefix/add-checkpoint HTTP/1.1\r\nHost: 127.0.0.1:")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                said = await answer(await reader.readexactly(length))
                if said is None:
                    await reader.read()  # until the client gives up
                    break
                writer.write(said)
                await writer.drain()
                if b"connection: close" in said.lower():
                    break
        writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(talk(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/prefix"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def http(status: int, body: bytes = b"", kind: str | None = None, **headers: str) -> bytes:
    """An answer as it lies on the wire."""
    lines = [f"HTTP/1.1 {status} So", f"Content-Length: {len(body)}", *([f"Content-Type: {kind}"] if kind else [])]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def honestly(witness: Honest) -> Served:
    async def answer(body: bytes) -> bytes:
        status, kind, said = witness.answer(body)
        return http(status, said, kind)

    return answer
