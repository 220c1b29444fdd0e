"""A comparison from end to end: outputs first, then times, then the verdict."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from bench.measure import interleave
from bench.result import Result
from bench.settings import Settings

UNITS_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6}


@dataclass(frozen=True)
class Outputs:
    """What the check of the outputs found. text: "max difference 1e-6 of [...]"."""

    equal: bool
    text: str


@dataclass(frozen=True)
class Limit:
    """seconds: the least that the measured ceilings of this machine allow; text: the reckoning."""

    seconds: float
    text: str


@dataclass(frozen=True)
class Contest:
    """ours and baseline take the same inputs; check runs both (or the exact reference) and compares.

    target: the least ratio; None: reported only. reason: what limits ours, said when the target is missed.
    """

    row: str
    case: str
    ours: Callable[[], object]
    baseline: Callable[[], object]
    baseline_name: str
    check: Callable[[], Outputs]
    target: float | None
    limit: Limit | None = None
    reason: str = ""
    unit: str = "ms"
    dtype: str = "f32 / f32"
    settings: str = ""
    target_text: str = ""
    repeats: int = 1  # calls per measurement, for calls of microseconds


def run(contest: Contest, settings: Settings) -> Result:
    """Never raises for unequal outputs: the result then says so and holds no ratio."""
    result = Result(
        row=contest.row,
        case=contest.case,
        unit=contest.unit,
        target=contest.target_text or (f">= {contest.target:g}x" if contest.target else "-"),
        baseline_name=contest.baseline_name,
        dtype=contest.dtype,
        settings=contest.settings,
    )
    outputs = contest.check()
    result.outputs_equal, result.outputs = outputs.equal, outputs.text
    if not outputs.equal:
        result.state, result.met = "refused", False
        result.reason = f"outputs differ: {outputs.text}"
        return result
    _measure(contest, settings, result)
    return result


def _measure(contest: Contest, settings: Settings, result: Result) -> None:
    pairs = interleave(
        contest.ours,
        contest.baseline,
        pairs=settings.pairs,
        seconds=settings.seconds,
        repeats=contest.repeats,
    )
    scale = UNITS_PER_SECOND[contest.unit]
    result.ours = statistics.median(pairs.ours) * scale
    result.baseline = statistics.median(pairs.baseline) * scale
    result.ratio = pairs.ratio()
    result.ratio_quartiles = list(pairs.ratio_quartiles())
    result.pairs = len(pairs.ours)
    if contest.limit is not None:
        result.limit = contest.limit.seconds * scale
        result.limit_of = contest.limit.text
        result.limit_percent = 100 * result.limit / result.ours
    if contest.target is not None:
        result.met = result.ratio >= contest.target
        result.reason = "" if result.met else contest.reason
    elif contest.reason:
        result.reason = contest.reason
