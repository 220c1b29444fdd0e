#!/usr/bin/env python3
"""Runs the benchmarks of tests/bench: `run_benchmarks.py --help`."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Read by OpenMP and MKL while they are loaded.
THREADS = str(min(2, os.cpu_count() or 1))


def main() -> None:
    """Replaces this process's path and settings, then becomes `python -m bench`."""
    sys.path[:0] = [str(ROOT / path) for path in ("tests", "build/bench-python")]
    os.environ.update(OMP_NUM_THREADS=THREADS, MKL_NUM_THREADS=THREADS)
    runpy.run_module("bench", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
