"""What the check says while it runs, and the error that ends it."""

from __future__ import annotations

import time

_BEGAN = time.monotonic()


class CheckError(RuntimeError):
    """A step of the image or the server in it failed."""


def say(text: str) -> None:
    print(f"[image-check {time.monotonic() - _BEGAN:4.0f} s] {text}", flush=True)
