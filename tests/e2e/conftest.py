"""The real programs on the shipped checkpoint. GWM_BUILD and GWM_CHECKPOINT name others."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy"), str(ROOT / "clients/python/src")]

import gwm  # noqa: E402
from demo.server import running_server  # noqa: E402

BUILD = ROOT / os.environ.get("GWM_BUILD", "build/release")
CHECKPOINT = ROOT / os.environ.get("GWM_CHECKPOINT", "checkpoints/gwm-small")
EPISODES = ROOT / "tests/data/episodes"
SERVER = BUILD / "bin/gwm-server"


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that all tests share; it must still serve, and stop cleanly, after the last of them."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    with running_server(SERVER, CHECKPOINT, log, f"--episode-root={EPISODES}") as where:
        yield where


@pytest.fixture
def client(address: str) -> Iterator[gwm.Client]:
    with gwm.Client(address, timeout_s=60) as made:
        yield made
