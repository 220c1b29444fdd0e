"""Shared paths and fixtures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import gwm
import pytest

# Before anything imports MuJoCo: render off screen, and leave the other cores to others.
os.environ.setdefault("MUJOCO_GL", "osmesa")
os.environ.setdefault("PYOPENGL_PLATFORM", "osmesa")
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parents[3]
DATA = REPOSITORY / "tests" / "data"


@pytest.fixture(scope="module", params=["environment", pytest.param("model", marks=pytest.mark.e2e)])
def client(request: pytest.FixtureRequest) -> Iterator[gwm.Client]:
    """At a server of each kind, one after the other."""
    from servers import serving  # which needs the paths above

    with serving(request.param) as address, gwm.Client(address) as connected:
        yield connected


@pytest.fixture
def session(client: gwm.Client) -> Iterator[gwm.Session]:
    """Of two environments, reset."""
    with client.create_session(2, seed=3, observations=["rgb"]) as made:
        made.reset()
        yield made
