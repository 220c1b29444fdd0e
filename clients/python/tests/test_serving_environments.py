"""Environments behind the server: any of Gymnasium's, in a process of their own, and Meta-World's."""

from __future__ import annotations

import gwm
import numpy as np
import pytest
from gwm.serving.gymnasium_backend import GymnasiumBackend
from gwm.serving.serve import EnvServer
from gwm.serving.worker import InProcessWorker, ProcessWorker, WorkerError


def test_serves_any_gymnasium_environment() -> None:
    worker = InProcessWorker(GymnasiumBackend("Pendulum-v1", {"render_mode": None}))
    with EnvServer(lambda: worker, max_envs=1) as server, gwm.Client(server.address) as client:
        spec = client.spec()
        assert (spec.action.min, spec.action.max) == (-2.0, 2.0)
        assert spec.observations["state"].shape == (3,)
        assert spec.horizon == 200
        with client.create_session(observations=["state"]) as session:
            session.reset(seed=3)
            result = session.step([1.5])
        import gymnasium

        env = gymnasium.make("Pendulum-v1")
        env.reset(seed=3)
        expected, reward, *_ = env.step(np.array([1.5], np.float32))
        np.testing.assert_allclose(result.observations["state"][0], expected, rtol=1e-6)
        assert result.reward[0] == pytest.approx(reward, rel=1e-6)


def test_discrete_actions_are_rounded_numbers() -> None:
    backend = GymnasiumBackend("CartPole-v1", {"render_mode": None})
    assert (backend.spec.action.min, backend.spec.action.max) == (0, 1)
    backend.reset(1, ["state"])
    outcome = backend.step(np.array([1.0], np.float32), ["state"], None)
    assert outcome.reward == 1.0
    backend.close()


def test_a_worker_process_serves_an_environment_and_reports_its_death() -> None:
    worker = ProcessWorker("Pendulum-v1", {"render_mode": None})
    assert worker.spec.model_id == "Pendulum-v1"
    first = worker.reset(4, ["state"])["state"]
    np.testing.assert_array_equal(first, worker.reset(4, ["state"])["state"])
    worker._process.kill()
    with pytest.raises(WorkerError, match="process"):
        worker.reset(4, ["state"])
    worker.close()
    worker.close()


def test_a_worker_process_reports_an_environment_that_is_not_there() -> None:
    with pytest.raises(WorkerError, match="NoSuchEnv"):
        ProcessWorker("NoSuchEnv-v7")


@pytest.mark.metaworld
def test_metaworld_over_the_wire_equals_the_published_episode() -> None:
    from conftest import DATA

    episode = gwm.read_episode(DATA / "episodes" / "hammer-v3" / "expert_004.safetensors.zst")
    names = ["rgb", "depth", "state"]
    with (
        EnvServer(lambda: ProcessWorker("metaworld:hammer-v3"), max_envs=1) as server,
        gwm.Client(server.address) as client,
        client.create_session(observations=names) as session,
    ):
        start = session.reset(seed=int(episode.metadata["seed"]))
        seen = [start.observations]
        rewards = []
        for action in episode.action[1:6]:
            result = session.step(action)
            seen.append(result.observations)
            rewards.append(result.reward[0])
        assert start.world_from_cam is not None
        np.testing.assert_allclose(start.world_from_cam[0], episode.world_from_cam, atol=1e-6)
    rgb = np.stack([frame["rgb"][0] for frame in seen]).astype(np.float64)
    error = np.mean((rgb - episode.rgb[:6]) ** 2) / 255**2
    assert error <= 10 ** (-45 / 10)
    depth_mm = np.rint(np.stack([frame["depth"][0] for frame in seen]).astype(np.float64) * 1000)
    assert np.abs(depth_mm - episode.depth_mm[:6]).max() <= 1
    np.testing.assert_allclose(rewards, episode.reward[1:6], rtol=1e-5)
