"""Help for the tests that any server of gwm.v1.Simulator must pass."""

from __future__ import annotations

import gwm
import numpy as np

SERVICE = "gwm.v1.Simulator"


def random_actions(client: gwm.Client, rows: int, seed: int = 0) -> np.ndarray:
    field = client.spec().action
    low, high = max(field.min, -1), min(field.max, 1)
    return np.random.default_rng(seed).uniform(low, high, (rows, *field.shape)).astype(np.float32)
