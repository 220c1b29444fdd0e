"""Replies get lost on the way; what the trainer sees is what it would have seen without that."""

from __future__ import annotations

from collections.abc import Iterator

import gwm
import numpy as np
import pytest
from fault_proxy import FaultProxy, fault_proxy
from gwm.envs.world_vector import WorldVectorEnv
from servers import serving

STEPS = 60
STEPS_PER_EPISODE = 12
LOSS = 0.1
PATIENT = gwm.RetryPolicy(attempts=30, first_wait_s=0.005, max_wait_s=0.02)


@pytest.fixture(scope="module", params=["environment", pytest.param("model", marks=pytest.mark.e2e)])
def proxy(request: pytest.FixtureRequest) -> Iterator[FaultProxy]:
    with serving(request.param) as address, fault_proxy(address) as made:
        yield made


def play(proxy: FaultProxy, loss: float) -> tuple[list[np.ndarray], int]:
    """All that a session returned, and how many replies were stored ones."""
    seen: list[np.ndarray] = []
    replayed = 0
    with gwm.Client(proxy.address, retry=PATIENT) as client:
        action = client.spec().action
        generator = np.random.default_rng(8)
        proxy.loss = loss
        with client.create_session(2, seed=4, observations=["rgb"]) as session:
            for step in range(STEPS):
                if step % STEPS_PER_EPISODE == 0:
                    start = session.reset()
                    replayed += start.replayed
                    seen += [start.observations["rgb"], start.episode]
                actions = generator.uniform(-0.3, 0.3, (2, *action.shape))
                result = session.step(actions)
                replayed += result.replayed
                seen += [result.observations["rgb"], result.reward, result.step_index]
            proxy.loss = 0.0
    return seen, replayed


def test_a_trajectory_whose_replies_get_lost_equals_the_one_without_loss(proxy: FaultProxy) -> None:
    expected, replayed = play(proxy, 0.0)
    assert replayed == 0
    lost_before = proxy.lost
    seen, replayed = play(proxy, LOSS)
    assert proxy.lost - lost_before >= STEPS * LOSS / 4
    assert replayed > 0
    for left, right in zip(expected, seen, strict=True):
        np.testing.assert_array_equal(left, right)


def test_sessions_whose_making_is_repeated_are_made_once(proxy: FaultProxy) -> None:
    proxy.loss = 0.5
    with gwm.Client(proxy.address, retry=PATIENT) as client:
        made = [client.create_session(seed=seed) for seed in range(8)]
        assert [session.seed for session in made] == list(range(8))
        assert len(list(client.sessions())) == 8
        for session in made:
            session.close()
        proxy.loss = 0.0
        assert list(client.sessions()) == []


@pytest.mark.e2e
def test_forks_that_are_repeated_are_made_once() -> None:
    with (
        serving("model") as address,
        fault_proxy(address) as proxy,
        gwm.Client(proxy.address, retry=PATIENT) as client,
        client.create_session(2, seed=1) as session,
    ):
        session.reset()
        proxy.loss = 0.5
        children = [session.fork(split=True) for _ in range(4)]
        assert session.fork_here([0], count=3) == [2, 3, 4]
        assert len(list(client.sessions())) == 5
        assert session.status().num_envs == 5
        for child in children:
            child.close()
        proxy.loss = 0.0


def test_a_vector_environment_does_not_notice_the_loss(proxy: FaultProxy) -> None:
    def roll(loss: float) -> list[np.ndarray]:
        proxy.loss = 0.0  # it connects with a client of its own, which is less patient
        envs = WorldVectorEnv(proxy.address, num_envs=2, horizon=7)
        proxy.loss = loss
        seen = [envs.reset(seed=3)[0]]
        generator = np.random.default_rng(1)
        for _ in range(24):
            actions = generator.uniform(-0.2, 0.2, envs.action_space.shape)
            observation, reward, terminated, truncated, _ = envs.step(actions.astype(np.float32))
            seen += [observation, reward, terminated, truncated]
        proxy.loss = 0.0
        envs.close()
        return seen

    for left, right in zip(roll(0.0), roll(LOSS / 4), strict=True):
        np.testing.assert_array_equal(left, right)
