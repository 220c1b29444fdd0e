"""What is wrong in a data set: where, which value, and what is allowed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Finding:
    """One defect. `more`: how many further frames of the same field have it too."""

    file: str
    field: str
    value: str
    allowed: str
    episode: str = ""  # as the source names it: an index, or "demo_3"
    frame: int | None = None
    more: int = 0

    def __str__(self) -> str:
        where = [f"episode {self.episode}"] if self.episode else []
        if self.frame is not None:
            where.append(f"frame {self.frame}")
        place = f"{self.file}: " + (", ".join(where) + ": " if where else "")
        also = f" (and {self.more} more frames)" if self.more else ""
        return f"{place}{self.field} is {self.value}; allowed: {self.allowed}{also}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class DatasetError(ValueError):
    """A source that cannot be read as asked; the message is that of its finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


@dataclass(frozen=True)
class Place:
    """Where findings of one array belong."""

    file: str
    episode: str = ""

    def finding(
        self, field: str, value: object, allowed: str, frame: int | None = None, more: int = 0
    ) -> Finding:
        return Finding(self.file, field, str(value), allowed, self.episode, frame, more)

    def error(self, field: str, value: object, allowed: str, frame: int | None = None) -> DatasetError:
        return DatasetError(self.finding(field, value, allowed, frame))

    def first_bad(
        self, field: str, values: npt.NDArray[Any], bad: npt.NDArray[np.bool_], allowed: str
    ) -> list[Finding]:
        """At most one finding for the rows of `values` [T, ...] in which `bad` (same shape) is true."""
        if not bad.any():
            return []
        rows = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        entry = "".join(f"[{i}]" for i in index[1:])
        return [self.finding(field + entry, values[index], allowed, index[0], len(rows) - 1)]

    def finite(self, field: str, values: npt.NDArray[Any]) -> list[Finding]:
        return self.first_bad(field, values, ~np.isfinite(values), "finite numbers")
