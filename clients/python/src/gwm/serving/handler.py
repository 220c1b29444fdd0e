"""The one place where exceptions of a call become its status."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from gwm.serving.status import Refusal

_LOG = logging.getLogger("gwm.serve")


def refusing(method: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Turns a Refusal into its status and everything unforeseen into INTERNAL / BUG, logged once."""

    @functools.wraps(method)
    def wrapper(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except Refusal as refusal:
            if refusal.reason == "BUG":
                _LOG.error("%s: %s", method.__name__, refusal.message)
            status = refusal.to_status()
        except Exception:
            _LOG.exception("%s failed", method.__name__)
            status = Refusal("BUG", f"{method.__name__} failed; the server's log has the details").to_status()
        return context.abort_with_status(status)

    return wrapper
