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
    proxy.loss = 0.0
    with gwm.Client(proxy.address, retry=PATIENT) as client:
        action = client.spec().action
        generator = np.random.default_rng(8)
        with client.create_session(2, seed=4, observations=["rgb"]) as session:
            proxy.loss = loss
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


def test_a_vector_environment_does_not_notice_the_loss(proxy: FaultProxy) -> None:
    def roll(loss: float) -> list[np.ndarray]:
        proxy.loss = 0.0
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
