"""Shared paths and fixtures."""

from __future__ import annotations

import os
from pathlib import Path

# Before anything imports MuJoCo: render off screen, and leave the other cores to others.
os.environ.setdefault("MUJOCO_GL", "osmesa")
os.environ.setdefault("PYOPENGL_PLATFORM", "osmesa")
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parents[3]
DATA = REPOSITORY / "tests" / "data"
