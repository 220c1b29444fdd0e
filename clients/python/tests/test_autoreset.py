"""Automatic resets are those of gymnasium.vector.SyncVectorEnv, on an environment with exact dynamics."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from fakes import PointBackend, point_server
from gwm.envs.world_vector import WorldVectorEnv
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

HORIZON = 5
NUM_ENVS = 3
STEPS = 60


class PointEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """PointBackend as a plain environment that starts its episodes as row `row` of a served session does."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self, row: int, seed: int) -> None:
        self._backend = PointBackend()
        self._row, self._seed = row, seed
        self._episodes = self._steps = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        key = np.random.SeedSequence([self._seed, self._row, self._episodes])
        first = self._row == 0 and self._episodes == 0
        start = self._seed if first else int(key.generate_state(1, np.uint32)[0] >> 1)
        self._episodes, self._steps = self._episodes + 1, 0
        return self._backend.reset(start, ["state"])["state"], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        outcome = self._backend.step(action, ["state"], None)
        self._steps += 1
        reward = float(np.float32(outcome.reward))
        return outcome.observations["state"], reward, outcome.terminated, self._steps >= HORIZON, {}


def random_walk(seed: int) -> list[np.ndarray]:
    """Drifts to the right, so that some episodes end there and others at the horizon."""
    generator = np.random.default_rng(seed)
    return [generator.uniform([-0.2, -1], [1, 1], (NUM_ENVS, 2)).astype(np.float32) for _ in range(STEPS)]


def roll(envs: Any, walk: list[np.ndarray], *, by_hand: bool) -> list[Any]:
    """All that the environments show; by_hand: resets what ended with a mask."""
    seen: list[Any] = [envs.reset()[0]]
    for action in walk:
        observation, reward, terminated, truncated, info = envs.step(action)
        seen += [observation, reward, terminated, truncated]
        final = info.get("final_obs")
        seen += [None if row is None else row for row in (final if final is not None else [])]
        seen.append(info.get("_final_obs"))
        if by_hand and (terminated | truncated).any():
            seen.append(envs.reset(options={"reset_mask": terminated | truncated})[0])
    return seen


@pytest.mark.parametrize("walk", range(4))
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_equals_gymnasium(mode: AutoresetMode, walk: int) -> None:
    with point_server() as server:
        served = WorldVectorEnv(
            server.address, num_envs=NUM_ENVS, obs="state", horizon=HORIZON, autoreset_mode=mode
        )
        seed = served.session.seed
        makers = [lambda row=row: PointEnv(row, seed) for row in range(NUM_ENVS)]
        plain = SyncVectorEnv(makers, autoreset_mode=mode)  # type: ignore[arg-type]
        by_hand = mode is AutoresetMode.DISABLED
        chosen = random_walk(walk)
        expected, seen = roll(plain, chosen, by_hand=by_hand), roll(served, chosen, by_hand=by_hand)
        served.close()
    assert len(seen) == len(expected)
    for left, right in zip(expected, seen, strict=True):
        if left is None or right is None:
            assert left is None
            assert right is None
        else:
            np.testing.assert_array_equal(left, right)
    ended = sum(int(np.sum(value)) for value in expected if value is not None and value.dtype == np.bool_)
    assert ended > STEPS * NUM_ENVS / HORIZON / 2
