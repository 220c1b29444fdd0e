"""The exact little worlds of `gwm-server --toy=NAME`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gwm
import gymnasium as gym
import numpy as np
import pytest
from conftest import CHECKPOINT, SERVER
from demo.server import running_server

HORIZON = 200


@pytest.fixture(scope="module", params=["push", "unicycle"])
def toy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[gwm.Client]:
    log = tmp_path_factory.mktemp("toy") / "server.log"
    with (
        running_server(SERVER, CHECKPOINT, log, f"--toy={request.param}") as where,
        gwm.Client(where) as made,
    ):
        yield made


def unscaled(latent: np.ndarray, least: list[float], greatest: list[float]) -> np.ndarray:
    low, high = np.array(least), np.array(greatest)
    return low + (latent.reshape(latent.shape[0], -1) + 1) / 2 * (high - low)


def heading(angle_rad: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle_rad), np.sin(angle_rad)], 1)


def push(latent: np.ndarray) -> np.ndarray:
    """Goes around the puck to the side away from the goal, then pushes, correcting what slips aside."""
    state = unscaled(latent, [-0.92, -0.92, -0.88, -0.88, -1, -1], [0.92, 0.92, 0.88, 0.88, 1, 1])
    pusher, puck, goal = state[:, 0:2], state[:, 2:4], state[:, 4:6]
    offset = pusher - puck
    to_goal = np.arctan2(*(goal - puck).T[::-1])
    place = np.arctan2(*offset.T[::-1])
    error = np.angle(np.exp(1j * (to_goal + np.pi - place)))
    around = puck + 0.3 * heading(place + np.clip(error, -0.6, 0.6))
    along = heading(to_goal)
    aside = offset - (offset * along).sum(1, keepdims=True) * along
    behind = (np.abs(error) < 0.5)[:, None]
    return np.clip(np.where(behind, along - 15 * aside, 10 * (around - pusher)), -1, 1)


def steer(latent: np.ndarray) -> np.ndarray:
    """Turns towards the goal, and drives when it looks there."""
    state = unscaled(latent, [-1, -1, -np.pi, 0, -1, -1], [1, 1, np.pi, 1, 1, 1])
    wanted = np.arctan2(state[:, 5] - state[:, 1], state[:, 4] - state[:, 0])
    error = np.angle(np.exp(1j * (wanted - state[:, 2])))
    speed = np.where(np.abs(error) < 0.5, 0.4, 0.05)
    return np.clip(np.stack([10 * (speed - state[:, 3]), 3 * error], 1), -1, 1)


POLICIES = {"toy-push": push, "toy-unicycle": steer}


def test_a_simple_policy_solves_it_and_a_random_one_does_not(toy: gwm.Client) -> None:
    policy = POLICIES[toy.spec().model_id]
    solved = {"policy": 0, "random": 0}
    generator = np.random.default_rng(3)
    for name in solved:
        with toy.create_session(32, seed=5, observations=["latent"], auto_reset="next_step") as session:
            latent = session.reset().observations["latent"]
            done = np.zeros(32, bool)
            for _ in range(HORIZON):
                actions = policy(latent) if name == "policy" else generator.uniform(-1, 1, (32, 2))
                result = session.step(actions)
                latent = result.observations["latent"]
                done |= result.success
            solved[name] = int(done.sum())
    assert solved["policy"] >= 29, solved
    assert solved["random"] <= solved["policy"] / 2, solved


def test_a_state_of_one_server_goes_on_at_another(toy: gwm.Client, tmp_path: Path) -> None:
    name = toy.spec().model_id.removeprefix("toy-")
    with (
        running_server(SERVER, CHECKPOINT, tmp_path / "other.log", f"--toy={name}") as where,
        gwm.Client(where) as other,
        toy.create_session(seed=1) as here,
        other.create_session(seed=2) as there,
    ):
        here.reset()
        here.step(np.full((1, 2), 0.5))
        there.reset(state=here.export_state(0))
        for action in np.random.default_rng(0).uniform(-1, 1, (20, 1, 2)):
            left, right = (s.step(action, observations=["latent", "rgb"]) for s in (here, there))
            np.testing.assert_array_equal(left.observations["latent"], right.observations["latent"])
            np.testing.assert_array_equal(left.observations["rgb"], right.observations["rgb"])
            assert left.reward == right.reward


def test_it_is_a_gymnasium_environment(toy: gwm.Client) -> None:
    env = gym.make("gwm/World-v0", address=toy.address)
    image, _ = env.reset(seed=4)
    assert env.observation_space.contains(image)
    _, reward, _, _, _ = env.step(env.action_space.sample())
    assert np.isfinite(reward)
    env.close()


def test_frames_cannot_start_it(toy: gwm.Client) -> None:
    frames = gwm.RgbdFrames(
        rgb=np.zeros((1, 1, 1, 64, 64, 3), np.uint8),
        depth_mm=np.full((1, 1, 1, 64, 64), 3000, np.uint16),
        intrinsics=np.array([[[80, 0, 32], [0, 80, 32], [0, 0, 1]]], np.float32),
        world_from_cam=np.eye(4, dtype=np.float32)[None],
    )
    with toy.create_session() as session, pytest.raises(gwm.GwmError, match="pool") as caught:
        session.reset(frames=frames)
    assert caught.value.code.name == "UNIMPLEMENTED"
