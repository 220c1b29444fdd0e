"""Processes end: the server's, by kill -9 and by SIGTERM, and the client's."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import gwm
import numpy as np
import pytest
from conftest import ROOT
from processes import ServerProcess

ACTIONS = np.random.default_rng(0).uniform(-1, 1, (3, 1, 4)).astype(np.float32)
LEASE_WAIT_S = 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "server.log")
    yield process
    process.kill()


def roll(session: gwm.Session) -> np.ndarray:
    session.reset(pool_indices=[0])
    return np.stack([session.step(action, observations=["rgb"]).observations["rgb"] for action in ACTIONS])


def test_after_kill_and_restart_old_ids_are_explained_and_trajectories_repeat(server: ServerProcess) -> None:
    with gwm.Client(server.address) as client:
        session = client.create_session(seed=11)
        before = roll(session)
        server.kill()
        server.start()
        with pytest.raises(gwm.GwmError) as caught:
            session.step(ACTIONS[0])
        assert (caught.value.code.name, caught.value.reason) == ("NOT_FOUND", "SERVER_RESTARTED")
        with client.create_session(seed=11) as again:
            assert np.array_equal(before, roll(again))


KILLED_CLIENT = """
import sys, gwm
client = gwm.Client(sys.argv[1])
session = client.create_session(num_envs=4, idle_ttl_s=1.0)
session.reset()
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_killed_clients_worlds_come_back(server: ServerProcess) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED_CLIENT, server.address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT / "clients/python/src")},
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ready"
    with gwm.Client(server.address) as client:
        assert client.server_info().envs == 4
        child.kill()
        child.wait()
        never = threading.Event()
        for _ in range(LEASE_WAIT_S * 10):
            if client.server_info().envs == 0:
                break
            never.wait(0.1)
        assert client.server_info().envs == 0


def test_sigterm_ends_the_server_cleanly_even_with_a_session_open(server: ServerProcess) -> None:
    with gwm.Client(server.address) as client:
        session = client.create_session(seed=1)
        session.reset()
        assert server.terminate() == 0


def test_metrics_count_what_the_client_did(server: ServerProcess) -> None:
    with gwm.Client(server.address) as client, client.create_session(num_envs=3, seed=1) as session:
        session.reset()
        for _ in range(4):
            session.step(np.zeros((3, 4), np.float32))
        assert server.metric("gwm_sessions") == 1
    assert server.metric("gwm_env_steps_total") == 12
