"""What became of sessions that are gone, for a while, so that late calls learn why."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable


class Tombstones:
    """Guarded by the table's lock. The oldest is forgotten first: when its time is up, or when there are too
    many."""

    def __init__(self, max_count: int, life_s: float, clock_s: Callable[[], float]) -> None:
        self._max_count = max_count
        self._life_s = life_s
        self._clock_s = clock_s
        self._fates: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def put(self, session_id: str, fate: str) -> None:
        self._fates[session_id] = fate, self._clock_s()
        self._forget()

    def find(self, session_id: str) -> str | None:
        self._forget()
        fate, _ = self._fates.get(session_id, (None, 0.0))
        return fate

    def _forget(self) -> None:
        while self._fates:
            _, died_s = next(iter(self._fates.values()))
            if len(self._fates) <= self._max_count and self._clock_s() < died_s + self._life_s:
                return
            self._fates.popitem(last=False)
