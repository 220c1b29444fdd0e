"""How a run is done: folders, threads, and how long to measure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Python packages that only baselines need; baselines.py fills it.
BASELINE_PACKAGES = ROOT / "build/bench-python"
THREADS = min(2, os.cpu_count() or 1)
SEED = 20_260_101
PAIRS = 30
# A comparison ends early, with fewer pairs, when it would take longer than this.
SECONDS_PER_COMPARISON = 15.0
# The same for a form that only shows that everything works.
QUICK_PAIRS = 5
QUICK_SECONDS = 2.0


@dataclass(frozen=True)
class Settings:
    """build: folder of the preset (bin/, lib/, bench/); checkpoint: what rows of the model load."""

    build: Path
    checkpoint: Path
    quick: bool = False

    @property
    def pairs(self) -> int:
        return QUICK_PAIRS if self.quick else PAIRS

    @property
    def seconds(self) -> float:
        return QUICK_SECONDS if self.quick else SECONDS_PER_COMPARISON

    def to_json(self) -> dict[str, object]:
        return {"build": str(self.build), "checkpoint": str(self.checkpoint), "quick": self.quick}

    def library(self, name: str) -> Path:
        return self.build / "lib" / f"lib{name}.so"

    def program(self, name: str, folder: str = "bin") -> Path:
        return self.build / folder / name


def environment() -> dict[str, str]:
    """Of every process that measures: the settings that are best for the baselines on few cores."""
    return {**os.environ, "OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS)}
