"""Times two functions in turn (A B A B ...), so that what else the machine does hits both."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

WARM_UPS = 2
MIN_PAIRS = 3
# Threads of an OpenMP team go on spinning for a while after their work; let them fall asleep.
SETTLE_S = 0.004


def seconds_of(call: Callable[[], object], repeats: int = 1) -> float:
    """Wall-clock seconds of one call: the mean over `repeats` calls in a row."""
    began = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - began) / repeats


def settle() -> None:
    threading.Event().wait(SETTLE_S)


@dataclass(frozen=True)
class Pairs:
    """Seconds of `ours` and of `baseline`, pair by pair in the order of measuring."""

    ours: list[float]
    baseline: list[float]

    def __post_init__(self) -> None:
        if len(self.ours) != len(self.baseline) or not self.ours:
            raise ValueError(f"{len(self.ours)} and {len(self.baseline)} measurements are no pairs")

    @property
    def ratios(self) -> list[float]:
        """How many times faster ours was, per pair."""
        return [theirs / mine for mine, theirs in zip(self.ours, self.baseline, strict=True)]

    def ratio(self) -> float:
        return statistics.median(self.ratios)

    def ratio_quartiles(self) -> tuple[float, float]:
        if len(self.ratios) < 2:
            return self.ratios[0], self.ratios[0]
        low, _, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return low, high


def interleave(
    ours: Callable[[], object],
    baseline: Callable[[], object],
    *,
    pairs: int,
    seconds: float,
    repeats: int = 1,
) -> Pairs:
    """Up to `pairs` pairs after a warm-up; fewer (but MIN_PAIRS) once `seconds` have passed."""
    slowest = 0.0
    for index in range(WARM_UPS):
        first = max(seconds_of(ours), seconds_of(baseline))
        slowest = first if index == 0 else min(slowest, first)
        if slowest > seconds / MIN_PAIRS:
            break
    mine: list[float] = []
    theirs: list[float] = []
    began = time.perf_counter()
    while len(mine) < pairs:
        if len(mine) >= MIN_PAIRS and time.perf_counter() - began > seconds:
            break
        settle()
        mine.append(seconds_of(ours, repeats))
        settle()
        theirs.append(seconds_of(baseline, repeats))
    return Pairs(mine, theirs)
