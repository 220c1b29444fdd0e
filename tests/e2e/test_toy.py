"""The exact little worlds of `gwm-server --toy=NAME`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import gwm
import gymnasium as gym
import numpy as np
import pytest
from conftest import CHECKPOINT, SERVER
from demo.server import running_server
from toy_policies import POLICIES

HORIZON = 200


@pytest.fixture(scope="module", params=["blocks", "lane-strip", "push", "unicycle"])
def toy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[gwm.Client]:
    log = tmp_path_factory.mktemp("toy") / "server.log"
    with (
        running_server(SERVER, CHECKPOINT, log, f"--toy={request.param}") as where,
        gwm.Client(where) as made,
    ):
        yield made


def test_a_simple_policy_solves_it_and_a_random_one_does_not(toy: gwm.Client) -> None:
    policy = POLICIES[toy.spec().model_id]
    (action_dim,) = toy.spec().action.shape
    solved = {"policy": 0, "random": 0}
    generator = np.random.default_rng(3)
    for name in solved:
        with toy.create_session(32, seed=5, observations=["latent"], auto_reset="next_step") as session:
            latent = session.reset().observations["latent"]
            done = np.zeros(32, bool)
            for _ in range(HORIZON):
                actions = policy(latent) if name == "policy" else generator.uniform(-1, 1, (32, action_dim))
                result = session.step(actions)
                latent = result.observations["latent"]
                done |= result.success
            solved[name] = int(done.sum())
    assert solved["policy"] >= 29, solved
    assert solved["random"] <= solved["policy"] / 2, solved


def test_a_state_of_one_server_goes_on_at_another(toy: gwm.Client, tmp_path: Path) -> None:
    name = toy.spec().model_id.removeprefix("toy-")
    (action_dim,) = toy.spec().action.shape
    with (
        running_server(SERVER, CHECKPOINT, tmp_path / "other.log", f"--toy={name}") as where,
        gwm.Client(where) as other,
        toy.create_session(seed=1) as here,
        other.create_session(seed=2) as there,
    ):
        here.reset()
        here.step(np.full((1, action_dim), 0.1))
        there.reset(state=here.export_state(0))
        # Small ones, which keep a car on its road.
        for action in np.random.default_rng(0).uniform(-0.2, 0.2, (20, 1, action_dim)):
            left, right = (s.step(action, observations=["latent", "rgb"]) for s in (here, there))
            np.testing.assert_array_equal(left.observations["latent"], right.observations["latent"])
            np.testing.assert_array_equal(left.observations["rgb"], right.observations["rgb"])
            assert left.reward == right.reward


def test_a_fork_moves_in_pictures_and_gaussians_while_its_origin_stays(toy: gwm.Client) -> None:
    (action_dim,) = toy.spec().action.shape
    camera = toy.spec().cameras[0]
    pose = camera.world_from_cam.copy()
    pose[:2, 3] += 0.2  # no camera of its own
    aside = dataclasses.replace(camera, world_from_cam=pose)
    with toy.create_session(seed=11) as origin:
        origin.reset()

        def look(session: gwm.Session) -> gwm.Images:
            return session.render(cameras=[aside], outputs=["rgb", "gaussians"])

        before = look(origin)
        with origin.fork() as fork:
            for _ in range(5):
                fork.step(np.full((1, action_dim), 0.1))
            moved = look(fork)
        after = look(origin)
    np.testing.assert_array_equal(before.rgb, after.rgb)
    np.testing.assert_array_equal(before.gaussians[0].means, after.gaussians[0].means)
    assert (before.rgb != moved.rgb).any()
    assert (before.gaussians[0].means != moved.gaussians[0].means).any()
    assert before.gaussians[0].means.shape == moved.gaussians[0].means.shape == (toy.spec().raw.gaussians, 3)


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
