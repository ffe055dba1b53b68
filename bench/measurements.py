"""The measurements by name: each starts its own server on an empty directory, and what was acknowledged is held against what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.parts import alone
from bench.proving import many, proofs
from bench.reading import frames, reads, trail
from bench.rows import Rows
from bench.verifying import verifying
from bench.writing import batches, beside, hostile, logs, singles, workers

MEASUREMENTS: dict[str, Callable[[Path, int], Rows]] = {
    "trail": trail,
    "workers": workers,
    "batches": batches,
    "logs": logs,
    "singles": singles,
    "beside": beside,
    "hostile": hostile,
    "reads": reads,
    "frames": frames,
    "proofs": proofs,
    "signing": many,
    "verifying": verifying,
    "parts": alone,
}  # a folder to use and by how much the amounts are divided → a run's rows
