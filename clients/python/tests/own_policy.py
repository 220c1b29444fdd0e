"""A policy as a user would write one: always the same action, needs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class Constant:
    needs = ()

    def __init__(self, action_size: int) -> None:
        self._action = np.full(action_size, 0.5, np.float32)

    def act(self, observations: Mapping[str, Any]) -> Any:
        return self._action


def make(task: str, seed: int, action_size: int) -> Constant:
    return Constant(action_size)
