"""Names by which a server knows a call that comes again."""

from __future__ import annotations

import itertools
import secrets


class CallNames:
    """Up to 64 printable ASCII characters each, never twice. Thread-safe."""

    def __init__(self) -> None:
        # Random: two programs may use one session, or one client_id.
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count()

    def next(self) -> str:
        return f"{self._prefix}-{next(self._numbers)}"
