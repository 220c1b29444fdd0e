"""Exactly once: the sessions that named calls of CreateSession made, for calls that come again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from gwm.serving import validate
from gwm.serving.replay import fingerprint
from gwm.serving.sessions import LiveSession
from gwm.serving.status import Refusal

_FIELD = "context.request_id"


@dataclass(frozen=True)
class _Creation:
    fingerprint: bytes
    session: Future[LiveSession] = field(default_factory=Future)


class Creations:
    """Remembers each creation while its session is open. Thread-safe."""

    def __init__(self, is_open: Callable[[LiveSession], bool]) -> None:
        self._is_open = is_open
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], _Creation] = {}  # by client and name of the call

    def once(self, request: Any, make: Callable[[], LiveSession]) -> tuple[LiveSession, bool]:
        """The session that `request` makes, and whether an earlier call of the same name made it; a call that
        comes while that one is still under way waits for it. Raises what `make` raises, and Refusal.
        """
        name = validate.name(request.context.request_id, _FIELD)
        if not name:
            return make(), False
        key = (request.context.client_id, name)
        with self._lock:
            self._forget_ended()
            known = self._known.get(key)
            mine = _Creation(fingerprint(request))
            if known is None:
                self._known[key] = mine
        if known is not None:
            if known.fingerprint != mine.fingerprint:
                raise Refusal("STEP_CONFLICT", f"{name!r} was the name of a call with other contents", _FIELD)
            return known.session.result(), True
        try:
            session = make()
        except BaseException as error:
            with self._lock:
                del self._known[key]
            mine.session.set_exception(error)
            raise
        mine.session.set_result(session)
        return session, False

    def _forget_ended(self) -> None:
        ended = [
            key
            for key, creation in self._known.items()
            if creation.session.done() and not self._is_open(creation.session.result())
        ]
        for key in ended:
            del self._known[key]
