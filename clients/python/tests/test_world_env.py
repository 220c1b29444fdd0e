"""gwm/World-v0 is a Gymnasium environment in every respect that the public checkers test."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import gwm
import gymnasium
import numpy as np
import pytest
from fakes import point_server
from gwm.serving.serve import EnvServer
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]


@pytest.fixture
def server() -> Iterator[EnvServer]:
    with point_server() as running:
        yield running


@pytest.mark.parametrize("obs", ["rgb", "state"])
def test_passes_gymnasiums_checker(server: EnvServer, obs: str) -> None:
    env = gymnasium.make("gwm/World-v0", address=server.address, obs=obs, render_mode="rgb_array")
    with warnings.catch_warnings():
        # Unbounded observations are what latents and states are; the checker only recommends bounds.
        warnings.filterwarnings("ignore", message=".*Box observation space.*infinity")
        warnings.filterwarnings("ignore", message=".*different render mode.*")
        check_env(env.unwrapped, skip_render_check=False)
    env.close()


@pytest.mark.parametrize("obs", ["rgb", "state"])
def test_passes_stable_baselines3s_checker(server: EnvServer, obs: str) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    env = gymnasium.make("gwm/World-v0", address=server.address, obs=obs, render_mode="rgb_array")
    checker.check_env(env.unwrapped, warn=True)
    env.close()


def test_spaces_follow_the_spec(server: EnvServer) -> None:
    with gymnasium.make("gwm/World-v0", address=server.address) as env:
        assert env.observation_space == gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
        assert env.action_space == gymnasium.spaces.Box(-1, 1, (2,), np.float32)
        assert env.metadata["render_fps"] == 20


def test_info_carries_success_and_the_episode() -> None:
    with point_server() as server, gymnasium.make("gwm/World-v0", address=server.address, obs="state") as env:
        _, info = env.reset(seed=1)
        assert info == {"episode_index": 0}
        terminated = False
        while not terminated:
            _, _, terminated, truncated, info = env.step(np.array([1, 0], np.float32))
        assert not truncated
        assert info["success"] is True
        assert info["success_probability"] == 1.0


def test_the_horizon_truncates(server: EnvServer) -> None:
    with gymnasium.make("gwm/World-v0", address=server.address, obs="state", horizon=2) as env:
        env.reset(seed=1)
        assert not env.step(np.zeros(2, np.float32))[3]
        assert env.step(np.zeros(2, np.float32))[3]


def test_an_observation_that_is_not_offered_is_named(server: EnvServer) -> None:
    with pytest.raises(ValueError, match="offers only these observations: rgb, depth, state"):
        gymnasium.make("gwm/World-v0", address=server.address, obs="latent")
    with pytest.raises(ValueError, match="view is 3"):
        gymnasium.make("gwm/World-v0", address=server.address, view=3)
    assert server.table.counts() == (0, 0)


def test_unknown_reset_options_are_named(server: EnvServer) -> None:
    with gymnasium.make("gwm/World-v0", address=server.address) as env:
        with pytest.raises(ValueError, match="colour"):
            env.reset(options={"colour": 1})
        with pytest.raises(TypeError, match=r"expected gwm\.RgbdFrames"):
            env.reset(options={"frames": 1})


def test_render_shows_the_state_behind_other_observations(server: EnvServer) -> None:
    with gymnasium.make("gwm/World-v0", address=server.address, obs="state", render_mode="rgb_array") as env:
        env.reset(seed=2)
        image = env.render()
        assert image.shape == (64, 64, 3)
        assert image.sum() == 3 * 255


def make_vector(
    server: EnvServer, num_envs: int, mode: AutoresetMode, horizon: int
) -> gymnasium.vector.VectorEnv:
    return gymnasium.make_vec(
        "gwm/World-v0", num_envs, address=server.address, obs="state", autoreset_mode=mode, horizon=horizon
    )


@pytest.mark.parametrize("mode", MODES)
def test_declares_its_autoreset_mode(server: EnvServer, mode: AutoresetMode) -> None:
    envs = make_vector(server, 2, mode, 0)
    assert envs.metadata["autoreset_mode"] is mode
    assert envs.observation_space.shape == (2, 2)
    envs.close()
    assert server.table.counts() == (0, 0)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step tells an error to expect: 0.1, 0.2, ... per row, as a model's would."""
    step = gwm.Session.step

    def tell(session: gwm.Session, *arguments: Any, **options: Any) -> Any:
        result = step(session, *arguments, **options)
        errors = np.arange(1, len(result.reward) + 1, dtype=np.float32) / 10
        return dataclasses.replace(result, expected_error=errors)

    monkeypatch.setattr(gwm.Session, "step", tell)


def test_info_carries_the_error_to_expect_of_models_that_tell_it(server: EnvServer, told: None) -> None:
    with gymnasium.make("gwm/World-v0", address=server.address, obs="state") as env:
        env.reset(seed=1)
        assert env.step(np.zeros(2, np.float32))[4]["expected_error"] == pytest.approx(0.1)
    envs = make_vector(server, 2, AutoresetMode.SAME_STEP, 1)
    envs.reset(seed=1)
    final = envs.step(np.zeros((2, 2), np.float32))[4]["final_info"]
    np.testing.assert_allclose(final["expected_error"], [0.1, 0.2], rtol=1e-6)
    envs.close()


def run_episodes(envs: gymnasium.vector.VectorEnv, steps: int) -> list[tuple]:
    """Environment i moves right at its own pace, so that their episodes end at different times."""
    envs.reset(seed=4)
    speed = np.linspace(0.4, 1.0, envs.num_envs)
    actions = np.stack([speed, np.zeros(envs.num_envs)], 1).astype(np.float32)
    return [envs.step(actions) for _ in range(steps)]


def test_next_step_resets_one_step_later(server: EnvServer) -> None:
    envs = make_vector(server, 3, AutoresetMode.NEXT_STEP, 0)
    steps = run_episodes(envs, 30)
    ended = np.stack([terminated for _, _, terminated, _, _ in steps])
    assert (ended.sum(0) >= 2).all()
    for before, after in itertools.pairwise(steps):
        was_done = before[2]
        assert (after[1][was_done] == 0).all()
        assert not after[2][was_done].any()
        if was_done.any():
            assert after[4]["_episode_index"][was_done].all()
            assert (after[0][was_done][:, 0] <= 0.5).all()
        stepped = after[4].get("_success", np.zeros(3, np.bool_))
        np.testing.assert_array_equal(stepped, ~was_done)
    envs.close()


def test_same_step_hands_out_the_final_observation(server: EnvServer) -> None:
    envs = make_vector(server, 3, AutoresetMode.SAME_STEP, 0)
    seen = 0
    for observations, _, terminated, _, info in run_episodes(envs, 30):
        if not terminated.any():
            assert "final_obs" not in info
            continue
        np.testing.assert_array_equal(info["_final_obs"], terminated)
        for row in np.flatnonzero(terminated):
            assert info["final_obs"][row][0] == 1.0
            assert info["final_info"]["success"][row]
            assert observations[row, 0] <= 0.5
            seen += 1
    assert seen >= 6
    envs.close()


def test_disabled_leaves_the_reset_to_the_caller(server: EnvServer) -> None:
    envs = make_vector(server, 2, AutoresetMode.DISABLED, 3)
    envs.reset(seed=4)
    actions = np.zeros((2, 2), np.float32)
    for _ in range(3):
        *_, truncated, _ = envs.step(actions)
    assert truncated.all()
    with pytest.raises(ValueError, match=r"environments \[0, 1\] ended"):
        envs.step(actions)
    before = envs.reset(options={"reset_mask": np.array([True, False])})[0]
    with pytest.raises(ValueError, match=r"environments \[1\] ended"):
        envs.step(actions)
    after = envs.reset(options={"reset_mask": np.array([False, True])})[0]
    np.testing.assert_array_equal(before[0], after[0])
    envs.step(actions)
    envs.close()


@pytest.mark.parametrize("mask", [np.zeros(2, np.bool_), np.ones(3, np.bool_), [True, True], np.ones(2)])
def test_a_wrong_reset_mask_is_refused(server: EnvServer, mask: object) -> None:
    envs = make_vector(server, 2, AutoresetMode.DISABLED, 0)
    with pytest.raises(ValueError, match="reset_mask"):
        envs.reset(options={"reset_mask": mask})
    envs.close()


def test_seeds_repeat_the_whole_vector(server: EnvServer) -> None:
    envs = make_vector(server, 3, AutoresetMode.NEXT_STEP, 0)
    first, _ = envs.reset(seed=9)
    second, _ = envs.reset(seed=9)
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first[:, 0])) == 3
    each, info = envs.reset(seed=[9, 9, 1])
    np.testing.assert_array_equal(each[:2], first[:2])
    assert not np.array_equal(each[2], first[2])
    assert info["_episode_index"].all()
    with pytest.raises(ValueError, match="num_envs = 3"):
        envs.reset(seed=[1])
    envs.close()


def test_failed_environments_are_truncated() -> None:
    with point_server(poison_at=2) as server:
        envs = make_vector(server, 2, AutoresetMode.NEXT_STEP, 0)
        envs.reset(seed=1)
        actions = np.zeros((2, 2), np.float32)
        assert not envs.step(actions)[3].any()
        _, rewards, _, truncated, info = envs.step(actions)
        assert truncated.all()
        assert info["failed"].all()
        assert (rewards == 0).all()
        assert not envs.step(actions)[3].any()
        envs.close()


def test_an_action_of_a_wrong_shape_is_refused(server: EnvServer) -> None:
    envs = make_vector(server, 2, AutoresetMode.NEXT_STEP, 0)
    envs.reset(seed=1)
    with pytest.raises(ValueError, match="expected"):
        envs.step(np.zeros((3, 2), np.float32))
    envs.close()


def test_registers_once() -> None:
    gwm.register_envs()
    assert gymnasium.spec("gwm/World-v0").vector_entry_point == "gwm.envs.world_vector:WorldVectorEnv"
