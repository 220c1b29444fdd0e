"""One reply in ten gets lost; a trainer on a stream sees what it would have seen without that."""

from __future__ import annotations

from collections.abc import Callable

import gwm
import numpy as np
from fake_server import FakeServer
from fault_proxy import FaultProxy, fault_proxy

ENVS = 4
STEPS = 120
LOSS = 0.1
PATIENT = gwm.RetryPolicy(attempts=50, first_wait_s=0.002, max_wait_s=0.01)


def play(proxy: FaultProxy, loss: float) -> tuple[dict[int, list[np.ndarray]], int]:
    """What each environment showed, and how many answers were stored ones."""
    proxy.loss = 0.0
    seen: dict[int, list[np.ndarray]] = {env: [] for env in range(ENVS)}
    replayed = 0
    with gwm.Client(proxy.address, retry=PATIENT) as client:
        session = client.create_session(ENVS, seed=3, observations=["rgb", "latent"])
        session.reset()
        actions = np.random.default_rng(4).uniform(-0.1, 0.1, (ENVS, STEPS, 2)).astype(np.float32)
        made = dict.fromkeys(range(ENVS), 0)
        proxy.loss = loss
        with session.run() as stream:
            for env in range(ENVS):
                stream.send(actions[env, 0], [env])
            while stream.in_flight:
                env_ids, result = stream.recv(60)
                env = int(env_ids[0])
                replayed += result.replayed
                seen[env] += [result.observations["rgb"], result.observations["latent"], result.reward]  # type: ignore[union-attr]
                made[env] += 1
                if made[env] < STEPS:
                    stream.send(actions[env, made[env]], [env])
        proxy.loss = 0.0
        session.close()
    return seen, replayed


def test_a_streamed_trajectory_equals_the_one_without_loss(start: Callable[..., FakeServer]) -> None:
    server = start()
    with fault_proxy(server.address, seed=5) as proxy:
        expected, replayed = play(proxy, 0.0)
        assert replayed == 0
        seen, replayed = play(proxy, LOSS)
        print(f"{proxy.lost} replies lost, {replayed} answers were stored ones")
        assert proxy.lost > 0
        assert replayed > 0
    for env in range(ENVS):
        for left, right in zip(expected[env], seen[env], strict=True):
            np.testing.assert_array_equal(left, right)
