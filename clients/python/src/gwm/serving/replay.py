"""Exactly once: the replies to the last calls of a session, for calls that come again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gwm.serving import validate
from gwm.serving.status import Refusal

_FIELD = "context.request_id"
_SPENT_NAMES = 256


@dataclass(frozen=True)
class _Kept:
    fingerprint: bytes
    reply: Any
    env_ids: frozenset[int]
    size_bytes: int


class ReplayLog:
    """Keeps the last reply of each environment, up to `max_bytes`; guarded by the session's lock."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._spent: deque[str] = deque(maxlen=_SPENT_NAMES)

    def find(self, request: Any) -> Any | None:
        """The stored reply of the same call, marked; None when it has to be carried out. Raises Refusal."""
        name = validate.name(request.context.request_id, _FIELD)
        if not name:
            return None
        kept = self._kept.get(name)
        if kept is None:
            if name in self._spent:
                raise Refusal(
                    "STEP_CONFLICT", f"{name!r} took effect before; its reply is not kept any more", _FIELD
                )
            return None
        if kept.fingerprint != fingerprint(request):
            raise Refusal("STEP_CONFLICT", f"{name!r} was the name of a call with other contents", _FIELD)
        reply = type(kept.reply)()
        reply.CopyFrom(kept.reply)
        reply.replayed = True
        return reply

    def keep(self, request: Any, env_ids: Sequence[int], reply: Any) -> None:
        """The call changed these environments; earlier replies for them go."""
        changed = frozenset(env_ids)
        for name in [name for name, kept in self._kept.items() if kept.env_ids & changed]:
            self._drop(name)
        if request.context.request_id:
            kept = _Kept(fingerprint(request), reply, changed, reply.ByteSize())
            self._kept[request.context.request_id] = kept
            while sum(kept.size_bytes for kept in self._kept.values()) > self._max_bytes:
                self._drop(next(iter(self._kept)))

    def _drop(self, name: str) -> None:
        del self._kept[name]
        self._spent.append(name)


def fingerprint(request: Any) -> bytes:
    """Of the whole call: equal for a repetition alone."""
    named = f"{request.DESCRIPTOR.full_name}\n".encode() + request.SerializeToString(deterministic=True)
    return hashlib.sha256(named).digest()
