"""Environments and commands of this package on the built gwm-server (skipped where it is not built)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import gwm
import gymnasium
import numpy as np
import pytest
from conftest import DATA
from gwm.cli.main import main
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from servers import model_server

pytestmark = pytest.mark.e2e

TASK = "hammer-v3"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with model_server() as server:
        yield server.address


@pytest.mark.parametrize("obs", ["rgb", "latent"])
def test_passes_gymnasiums_checker(address: str, obs: str) -> None:
    env = gymnasium.make("gwm/World-v0", address=address, obs=obs, render_mode="rgb_array")
    if obs == "rgb":
        assert env.observation_space == gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    with warnings.catch_warnings():
        # Latents have no bounds; the checker recommends some.
        warnings.filterwarnings("ignore", message=".*Box observation space.*infinity")
        warnings.filterwarnings("ignore", message=".*different render mode.*")
        check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize("obs", ["rgb", "latent"])
def test_passes_stable_baselines3s_checker(address: str, obs: str) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with gymnasium.make("gwm/World-v0", address=address, obs=obs, render_mode="rgb_array") as env:
        checker.check_env(env.unwrapped, warn=True)


def test_the_vector_environment_goes_through_its_episodes(address: str) -> None:
    envs = gymnasium.make_vec("gwm/World-v0", 3, address=address, obs="rgb", horizon=2)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    first, info = envs.reset(seed=5)
    assert first.shape == (3, 64, 64, 3)
    assert info["_pool_index"].all()
    again, _ = envs.reset(seed=5)
    np.testing.assert_array_equal(first, again)
    actions = np.zeros((3, 4), np.float32)
    envs.step(actions)
    assert envs.step(actions)[3].all()
    *_, info = envs.step(actions)
    assert info["episode_index"].tolist() == [1, 1, 1]
    envs.close()


def test_starts_from_frames_of_an_episode(address: str) -> None:
    episode = gwm.read_episode(DATA / "episodes" / TASK / "noisy_005.safetensors.zst")
    with gymnasium.make("gwm/World-v0", address=address, render_mode="rgb_array") as env:
        observation, info = env.reset(options={"frames": gwm.RgbdFrames.from_episode(episode, [10])})
        assert "pool_index" not in info
        error = np.mean((observation.astype(np.float64) - episode.rgb[10, 0]) ** 2) / 255**2
        assert error < 10**-2.2, "the reset should look like the frame that it started from"
        np.testing.assert_array_equal(env.render(), observation)


def test_a_rollout_is_corrected_by_the_real_frames(address: str) -> None:
    episode = gwm.read_episode(DATA / "episodes" / TASK / "noisy_005.safetensors.zst")

    def frame(row: int) -> gwm.RgbdFrames:
        return gwm.RgbdFrames.from_episode(episode, [row])

    with gwm.Client(address) as client, client.create_session(observations=["latent"]) as session:
        start = session.reset(frames=frame(10)).observations["latent"]
        at_start = session.observe(frame(10))
        assert at_start.latent_error[0] < 1e-6
        result = session.step(episode.action[11][None])
        for row in range(12, 16):
            result = session.step(episode.action[row][None])
        drifted = session.observe(frame(15))
        assert drifted.latent_error[0] > at_start.latent_error[0]
        assert 5 < drifted.psnr_db[0] < 100
        corrected = session.observe(frame(15), re_anchor=True, observations=["latent"])
        np.testing.assert_array_equal(corrected.latent_error, drifted.latent_error)
        assert corrected.step_index.tolist() == [5]
        assert not np.array_equal(corrected.observations["latent"], result.observations["latent"])
        assert not np.array_equal(corrected.observations["latent"], start)
        after = session.observe(frame(15))
        assert after.latent_error[0] < 1e-6
        assert after.psnr_db[0] > drifted.psnr_db[0]
        assert session.step(episode.action[16][None]).step_index.tolist() == [6]


def test_collects_and_scores_imagined_episodes(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--address", address, "--policy", "random", "--task", TASK, "--episodes", "2", "--steps", "4"]
    assert main(["collect", *common, "--out", str(tmp_path), "--parallel", "2"]) == 0
    paths = gwm.find_episodes(tmp_path)
    assert len(paths) == 2
    episode = gwm.read_episode(paths[0])
    assert (episode.task, episode.kind) == (TASK, "random")
    assert episode.rgb.shape == (5, 1, 64, 64, 3)
    assert episode.depth_mm.any()
    report = tmp_path / "score.json"
    assert main(["eval", *common, "--json", str(report)]) == 0
    assert json.loads(report.read_text())["episodes"] == 2
    assert "success" in capsys.readouterr().out


def test_a_scripted_policy_says_what_a_learned_world_lacks(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "--address", address, "--policy", "scripted", "--task", TASK]) == 1
    assert "the policy needs the observation 'state'" in capsys.readouterr().err


def test_ping_spec_and_step_talk_to_it(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ping", "--address", address]) == 0
    assert main(["spec", "--address", address]) == 0
    assert main(["step", "--address", address, "--steps", "2", "--png", str(tmp_path / "a.png")]) == 0
    out = capsys.readouterr().out
    assert "observation   latent" in out
    assert "step 2: reward" in out


def test_sigterm_ends_the_server_with_status_0() -> None:
    with model_server() as server, gwm.Client(server.address) as client:
        session = client.create_session()
        session.reset()
        assert server.stop() == 0
