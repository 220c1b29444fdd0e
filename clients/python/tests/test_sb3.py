"""The Stable-Baselines3 vector environment keeps that library's conventions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from fakes import point_server

pytest.importorskip("stable_baselines3")

from gwm.envs.sb3 import SB3WorldVecEnv
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor


@pytest.fixture
def envs() -> Iterator[SB3WorldVecEnv]:
    with point_server() as server:
        made = SB3WorldVecEnv(server.address, num_envs=3, obs="state", horizon=4, render_mode="rgb_array")
        yield made
        made.close()


def test_ended_environments_hand_out_their_terminal_observation(envs: SB3WorldVecEnv) -> None:
    start = envs.reset()
    still = np.zeros((3, 2), np.float32)
    for _ in range(3):
        observations, _, done, infos = envs.step(still)
        assert not done.any()
        np.testing.assert_array_equal(observations, start)
        assert "terminal_observation" not in infos[0]
    observations, rewards, done, infos = envs.step(still)
    assert done.all()
    assert rewards.dtype == np.float32
    for row, info in enumerate(infos):
        np.testing.assert_array_equal(info["terminal_observation"], start[row])
        assert info["TimeLimit.truncated"] is True
        assert info["is_success"] is False
        assert info["step_index"] == 4
    assert not np.array_equal(observations, start)


def test_success_is_no_truncation(envs: SB3WorldVecEnv) -> None:
    envs.seed(1)
    first = envs.reset()
    envs.seed(1)
    np.testing.assert_array_equal(envs.reset(), first)
    for _ in range(60):
        _, _, done, infos = envs.step(np.tile(np.array([1, 0], np.float32), (3, 1)))
        for row in np.flatnonzero(done):
            assert infos[row]["TimeLimit.truncated"] is not infos[row]["is_success"]


def test_renders_and_refuses_what_lives_on_the_server(envs: SB3WorldVecEnv) -> None:
    envs.reset()
    images = envs.get_images()
    assert len(images) == 3
    assert images[0] is not None
    assert images[0].shape == (64, 64, 3)
    assert envs.get_attr("render_mode", [0, 2]) == ["rgb_array", "rgb_array"]
    assert envs.env_is_wrapped(VecMonitor) == [False] * 3
    with pytest.raises(AttributeError, match="live on a server"):
        envs.set_attr("x", 1)
    with pytest.raises(AttributeError, match="live on a server"):
        envs.env_method("x")


def test_ppo_trains_on_it(envs: SB3WorldVecEnv) -> None:
    model = PPO("MlpPolicy", VecMonitor(envs), n_steps=8, batch_size=8, n_epochs=1, seed=0, device="cpu")
    model.learn(48)
    assert model.num_timesteps == 48
    assert len(model.ep_info_buffer) > 0
