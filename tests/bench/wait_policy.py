"""How idle OpenMP threads wait: spinning is faster on quiet cores, and many times slower on busy ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

POLICIES: dict[str, dict[str, str]] = {
    "spinning": {},
    "sleeping": {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"},
}
_ROUNDS = 3
_PROBE = """
import time, torch
x, y = torch.ones(2, 512, 384)
weight = torch.ones(384, 384)
with torch.inference_mode():
    for round in range(2):
        began = time.perf_counter()
        for _ in range(20):
            torch.nn.functional.linear(x * y + x, weight)
print(time.perf_counter() - began)
"""


def _probe(environment: Mapping[str, str]) -> float:
    command = [sys.executable, "-c", _PROBE]
    return float(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)


def fastest_policy(environment: Mapping[str, str]) -> str:
    """The name in POLICIES under which a chain of small Torch operations ran fastest just now."""
    times = {
        name: min(_probe({**environment, **extra}) for _ in range(_ROUNDS))
        for name, extra in POLICIES.items()
    }
    return min(times, key=lambda name: times[name])
