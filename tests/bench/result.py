"""One row of the table, as it is written to bench.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Result:
    """`ours`, `baseline`: medians in `unit`; `ratio`: how many times better ours is, median over the pairs.

    ratio is None when nothing may be claimed: outputs differ, something failed, or there is no baseline.
    """

    row: str  # of the table, "C1"
    case: str  # "16384 -> 512"
    unit: str
    target: str  # in words, ">= 4x"
    ours: float | None = None
    baseline: float | None = None
    baseline_name: str = ""
    ratio: float | None = None
    ratio_quartiles: list[float] = field(default_factory=list)
    pairs: int = 0
    limit: float | None = None  # what the machine could do, in `unit`
    limit_of: str = ""
    limit_percent: float | None = None
    met: bool | None = None  # None: no target applies here
    reason: str = ""  # of a missed target or of a missing ratio
    outputs_equal: bool | None = None  # None: there is nothing to compare
    outputs: str = ""  # what was compared, and how far apart it was
    dtype: str = "f32"
    settings: str = ""
    state: str = "measured"  # or "refused" (outputs differ), "failed", "skipped"
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def skipped(row: str, case: str, reason: str) -> Result:
    """For what this machine lacks something for."""
    return Result(row=row, case=case, unit="", target="", state="skipped", reason=reason)


def failed(row: str, reason: str) -> Result:
    return Result(row=row, case="", unit="", target="", state="failed", reason=reason)
