"""Meta-World renders the published episodes again, from their seeds and actions."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import DATA
from gwm.envs.metaworld import MetaWorldConfig, MetaWorldEnv, ViewOffset, depth_to_mm
from gwm.episode import Episode, read_episode

pytestmark = pytest.mark.metaworld

ROWS = 12
TASKS = ("button-press-topdown-wall-v3", "plate-slide-v3", "hammer-v3")


def pooled_psnr_db(images: np.ndarray, others: np.ndarray) -> float:
    error = np.mean((images.astype(np.float64) - others) ** 2) / 255.0**2
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def resimulate(episode: Episode, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    env = MetaWorldEnv(MetaWorldConfig(episode.task))
    states, rewards = [env.reset(int(episode.metadata["seed"]))], [0.0]
    frames = [env.render()]
    for action in episode.action[1:rows]:
        transition = env.step(action)
        states.append(transition.state)
        rewards.append(transition.reward)
        frames.append(env.render())
    np.testing.assert_allclose(env.intrinsics(), episode.intrinsics, rtol=1e-6)
    np.testing.assert_allclose(env.world_from_cam(), episode.world_from_cam, atol=1e-6)
    env.close()
    rgb = np.stack([frame.rgb for frame in frames])
    depth = np.stack([depth_to_mm(frame.depth_m) for frame in frames])
    return rgb, depth, np.stack(states), np.array(rewards)


@pytest.mark.parametrize("task", TASKS)
def test_resimulates_a_published_episode(task: str) -> None:
    episode = read_episode(DATA / "episodes" / task / "noisy_005.safetensors.zst")
    rgb, depth, states, rewards = resimulate(episode, ROWS)
    assert pooled_psnr_db(rgb, episode.rgb[:ROWS]) >= 45
    assert np.mean(depth == episode.depth_mm[:ROWS]) > 0.999
    np.testing.assert_allclose(states, episode.state[:ROWS], atol=1e-5)
    np.testing.assert_allclose(rewards, episode.reward[:ROWS], rtol=1e-5, atol=1e-6)
    assert episode.metadata["control_dt"] == "0.025"


def test_a_moved_camera_shows_the_second_view_of_the_fixture() -> None:
    stored = read_episode(DATA / "two_view" / "hammer-v3" / "left.safetensors.zst")
    env = MetaWorldEnv(MetaWorldConfig("hammer-v3", extra_views=(ViewOffset((-0.05, 0.0, 0.0)),)))
    env.reset(int(stored.metadata["seed"]))
    frame = env.render()
    from_pose = env.render_from(stored.world_from_cam[1])
    env.close()
    assert pooled_psnr_db(frame.rgb, stored.rgb[0]) >= 45
    assert pooled_psnr_db(from_pose.rgb[0], stored.rgb[0, 1]) >= 45
    assert pooled_psnr_db(frame.rgb[0], frame.rgb[1]) < 25
    distance_m = np.linalg.norm(stored.world_from_cam[1, :3, 3] - stored.world_from_cam[0, :3, 3])
    assert distance_m == pytest.approx(0.05, abs=1e-6)


def test_a_second_renderer_survives_the_close_of_the_first() -> None:
    first = MetaWorldEnv(MetaWorldConfig("hammer-v3"))
    first.reset(3)
    expected = first.render().rgb
    second = MetaWorldEnv(MetaWorldConfig("hammer-v3"))
    second.reset(3)
    second.render()
    first.close()
    np.testing.assert_array_equal(second.render().rgb, expected)
    second.close()
    second.close()


def test_an_episode_does_not_depend_on_the_one_before() -> None:
    env = MetaWorldEnv(MetaWorldConfig("plate-slide-v3"))
    action = np.full(4, 0.5, np.float32)

    def play(seed: int) -> np.ndarray:
        return np.stack([env.reset(seed), *(env.step(action).state for _ in range(5))])

    first = play(7)
    assert not np.array_equal(first, play(8))
    np.testing.assert_array_equal(first, play(7))
    env.close()


def test_the_state_hides_the_goal_environment_interface() -> None:
    assert not hasattr(MetaWorldEnv(MetaWorldConfig("hammer-v3")), "compute_reward")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "no-such-task"}, "unknown Meta-World task 'no-such-task'"),
        ({"task": "hammer-v3", "camera": "nowhere"}, "unknown camera 'nowhere'"),
        ({"task": "hammer-v3", "horizon": 250}, "horizon is 250; allowed are 1 to 249"),
        ({"task": "hammer-v3", "action_repeat": 0}, "action_repeat is 0"),
    ],
)
def test_a_wrong_setting_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MetaWorldEnv(MetaWorldConfig(**arguments))
