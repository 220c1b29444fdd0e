"""When a failed call may be sent again: only when the first one certainly changed nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
from gwm.errors import GwmError

Result = TypeVar("Result")

_TRANSIENT = frozenset({grpc.StatusCode.UNAVAILABLE})
# Refusals that come before any change, whatever the call.
_NOT_STARTED = frozenset({"OVERLOADED"})


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential back-off with jitter, never beyond the call's own timeout; attempts=1 switches it off."""

    attempts: int = 4
    first_wait_s: float = 0.05
    max_wait_s: float = 2.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock_s: Callable[[], float] = field(default=time.monotonic, repr=False)
    # Uniform in [0, 1); waiting clients must not come back all at once.
    jitter: Callable[[], float] = field(default=random.random, repr=False)

    def may_retry(self, error: GwmError, *, idempotent: bool) -> bool:
        """idempotent: repeating the call is harmless even when the first one was executed."""
        # With a time to wait: a conflict between two calls, not between two counts of the steps.
        busy = error.reason == "STEP_CONFLICT" and error.retry_after_s is not None
        return busy or error.reason in _NOT_STARTED or (idempotent and error.code in _TRANSIENT)

    def call(self, attempt: Callable[[float], Result], timeout_s: float, *, idempotent: bool) -> Result:
        """Runs attempt(remaining seconds) until it succeeds, may not be repeated, or time is up."""
        deadline_s = self.clock_s() + timeout_s
        wait_s = self.first_wait_s
        for remaining_attempts in range(self.attempts - 1, -1, -1):
            try:
                return attempt(max(deadline_s - self.clock_s(), 0.001))
            except GwmError as error:
                pause_s = max(wait_s * (0.5 + 0.5 * self.jitter()), error.retry_after_s or 0.0)
                late = self.clock_s() + pause_s >= deadline_s
                if remaining_attempts == 0 or late or not self.may_retry(error, idempotent=idempotent):
                    raise
                self.sleep(pause_s)
                wait_s = min(2 * wait_s, self.max_wait_s)
        raise AssertionError("a retry policy has at least one attempt")
