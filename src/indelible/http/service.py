"""What the handlers share: the recorder, the store, and the settings that concern HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import time_ns

from indelible.http.connection.warden import Patience
from indelible.http.metrics import Metrics
from indelible.http.rate import Rate
from indelible.http.refusals import Refusals
from indelible.http.scrub import Scrub
from indelible.journal.port import Journal
from indelible.log.proofs import Proofs
from indelible.log.publisher import Publisher
from indelible.log.recorder import Recorder
from indelible.log.witnessing.witnesses import Witnesses
from indelible.log.workshop import Workshop
from indelible.model.durations import Durations
from indelible.model.event import Limits
from indelible.store.port import Store


@dataclass(frozen=True)
class Service:
    """Everything a handler needs; made once, by config.compose, and put into `request.app.state.service`."""

    journal: Journal
    recorder: Recorder
    store: Store
    logs: tuple[str, ...] = ("default",)
    limits: Limits = field(default_factory=Limits)
    key: str | None = field(default=None, repr=False)  # Bearer; without one only loopback hosts are answered
    in_flight: int = 64 << 20  # bytes of request bodies held at once; above it 503
    patience: Patience = field(default_factory=Patience)
    quick: bool = True  # the short way for small requests (connection/quick.py)
    workshop: Workshop | None = None  # processes that prepare large requests
    read_only: bool = False
    syncs: Durations = field(default_factory=Durations)  # of the journal: what every receipt waits for
    proofs: Proofs = field(kw_only=True)
    publisher: Publisher = field(kw_only=True)
    witnesses: Witnesses | None = None  # whom a policy names
    ack_timeout: float = 10  # s that a request with ack=proven or ack=witnessed waits
    scrub: Scrub | None = None  # None: nobody reads the journal again
    metrics: Metrics = field(default_factory=Metrics)
    refusals: Refusals = field(default_factory=Refusals)
    rate: Rate = field(default_factory=Rate)
    started: int = field(default_factory=lambda: time_ns() // 1000)  # µs since 1970
