"""Scores of a policy, with honest intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# Of a two-sided 95 % interval.
_Z = 1.959964
_BOOTSTRAP_SAMPLES = 10_000


@dataclass(frozen=True)
class Score:
    """Of `episodes` episodes; every interval covers 95 %."""

    episodes: int
    return_mean: float
    return_std: float
    return_interval: tuple[float, float]
    success_rate: float
    success_interval: tuple[float, float]
    steps_mean: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def table(self) -> str:
        low, high = self.return_interval
        success_low, success_high = (100 * bound for bound in self.success_interval)
        return "\n".join(
            [
                f"episodes  {self.episodes} ({self.steps_mean:.1f} steps each)",
                f"return    {self.return_mean:.1f}  [{low:.1f}, {high:.1f}]  (std {self.return_std:.1f})",
                f"success   {100 * self.success_rate:.0f} %  [{success_low:.0f} %, {success_high:.0f} %]",
            ]
        )


def score(returns: Sequence[float], successes: Sequence[bool], steps: Sequence[int]) -> Score:
    """Raises ValueError without episodes."""
    if len(returns) == 0:
        raise ValueError("no episode ended, so there is nothing to score")
    values = np.asarray(returns, np.float64)
    wins = int(np.sum(successes))
    return Score(
        episodes=len(values),
        return_mean=float(values.mean()),
        return_std=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        return_interval=bootstrap_interval(values),
        success_rate=wins / len(values),
        success_interval=wilson_interval(wins, len(values)),
        steps_mean=float(np.mean(steps)),
    )


def bootstrap_interval(values: Any) -> tuple[float, float]:
    """Percentile bootstrap of the mean; the same values always give the same interval."""
    data = np.asarray(values, np.float64)
    generator = np.random.Generator(np.random.PCG64(0))
    samples = generator.integers(0, len(data), (_BOOTSTRAP_SAMPLES, len(data)))
    low, high = np.percentile(data[samples].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Of a proportion; does not collapse to a point at 0 or 1, as the normal one does."""
    rate = successes / trials
    scale = 1 + _Z**2 / trials
    centre = (rate + _Z**2 / (2 * trials)) / scale
    half = _Z / scale * math.sqrt(rate * (1 - rate) / trials + _Z**2 / (4 * trials**2))
    return max(0.0, centre - half), min(1.0, centre + half)
