"""Progress on a terminal as one line that moves, in a pipe as plain lines; both with rate and time left."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

_BAR_WIDTH = 24
# In a pipe: one line per this many seconds, so that logs stay short.
_PLAIN_INTERVAL_S = 5.0
_TERMINAL_INTERVAL_S = 0.1


class Progress:
    """Counts `total` units of work; use as a context manager so that the last line is always complete."""

    def __init__(
        self,
        total: int,
        label: str,
        *,
        unit: str = "steps",
        stream: TextIO | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = max(total, 0)
        self._label = label
        self._unit = unit
        self._stream = stream if stream is not None else sys.stderr
        self._clock_s = clock_s
        self._start_s = clock_s()
        self._shown_s = -float("inf")
        self._done = 0
        self._note = ""
        self._lock = threading.Lock()
        self._terminal = bool(getattr(self._stream, "isatty", lambda: False)())

    def advance(self, units: int = 1, note: str = "") -> None:
        """Thread-safe."""
        with self._lock:
            self._done += units
            self._note = note or self._note
            interval_s = _TERMINAL_INTERVAL_S if self._terminal else _PLAIN_INTERVAL_S
            if self._clock_s() - self._shown_s >= interval_s:
                self._show()

    def _show(self) -> None:
        self._shown_s = self._clock_s()
        text = self.line()
        if self._terminal:
            self._stream.write(f"\r\x1b[K{text}")
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def line(self) -> str:
        """The line as it would be shown now."""
        elapsed_s = max(self._clock_s() - self._start_s, 1e-9)
        rate = self._done / elapsed_s
        fraction = self._done / self._total if self._total else 1.0
        left_s = (self._total - self._done) / rate if rate > 0 else float("inf")
        parts = [f"{self._label}:"]
        if self._terminal:
            filled = round(min(fraction, 1.0) * _BAR_WIDTH)
            parts.append("[" + "#" * filled + "-" * (_BAR_WIDTH - filled) + "]")
        parts.append(f"{self._done}/{self._total} {self._unit} ({100 * fraction:.0f} %)")
        parts.append(f"{rate:.1f} {self._unit}/s, ETA {format_duration(left_s)}")
        if self._note:
            parts.append(self._note)
        return " ".join(parts)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or self._done > 0:
            self._show()
        if self._terminal:
            self._stream.write("\n")
            self._stream.flush()


def format_duration(seconds: float) -> str:
    """12.3 -> "12s", 75 -> "1m15s", 3700 -> "1h01m", unknown -> "?"."""
    if not 0 <= seconds < 1e7:
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
