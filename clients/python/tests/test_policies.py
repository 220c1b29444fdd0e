"""Policies repeat themselves bit for bit, and their noise follows its law."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import DATA
from gwm.dataset import DEFAULT_COUNTS, DEFAULT_TASKS, plan_episodes
from gwm.episode import read_episode
from gwm.policies import NOISE_STD, episode_generator, make_policy

TASK = "hammer-v3"


def states() -> np.ndarray:
    episode = read_episode(DATA / "episodes" / TASK / "expert_004.safetensors.zst")
    assert episode.state is not None
    return episode.state


def play(kind: str, seed: int, **options: float) -> np.ndarray:
    policy = make_policy(kind, TASK, seed, **options)  # type: ignore[arg-type]
    return np.stack([policy.act({"state": state}) for state in states()])


@pytest.mark.parametrize("kind", ["scripted", "noisy", "random", "mixture"])
def test_the_same_episode_gets_the_same_actions(kind: str) -> None:
    np.testing.assert_array_equal(play(kind, 3), play(kind, 3))
    actions = play(kind, 3)
    assert actions.dtype == np.float32
    assert actions.shape == (101, 4)
    assert np.abs(actions).max() <= 1


def test_task_kind_and_seed_each_change_the_noise() -> None:
    reference = episode_generator("a", "noisy", 1).standard_normal(8)
    for key in (("b", "noisy", 1), ("a", "random", 1), ("a", "noisy", 2)):
        assert not np.array_equal(reference, episode_generator(*key).standard_normal(8))


def test_the_expert_repeats_a_published_expert() -> None:
    episode = read_episode(DATA / "episodes" / TASK / "expert_004.safetensors.zst")
    np.testing.assert_allclose(play("expert", 0)[:-1], episode.action[1:], atol=2e-4)


def test_noise_is_white_before_the_clip() -> None:
    expert, noisy = play("expert", 0), np.stack([play("noisy", seed) for seed in range(20)])
    inside = np.abs(expert[:, 0]) < 0.1
    noise = noisy[:, inside, 0] - expert[inside, 0]
    # Where the clip hardly bites, its standard deviation is that of a normal law cut at about +-1.
    assert noise.std() == pytest.approx(0.93 * NOISE_STD, rel=0.1)
    assert abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]) < 0.1
    np.testing.assert_allclose(play("noisy", 0, noise_std=0.0), expert)


def test_a_mixture_holds_some_actions_and_follows_the_expert_in_others() -> None:
    expert, mixed = play("expert", 0), np.stack([play("mixture", seed) for seed in range(20)])
    held = (np.diff(mixed, axis=1) == 0).all(-1)
    with_expert = (mixed == expert).all(-1)
    # A third of the segments each; the expert itself stands still at the end of its episode.
    assert 0.2 < held[:, :40].mean() < 0.5
    assert 0.25 < with_expert.mean() < 0.5
    assert len(np.unique(held[:, :40].sum(1))) > 5


def test_random_actions_fill_the_range() -> None:
    policy = make_policy("random", "anything", 1, action_size=3, low=-2, high=0)
    actions = np.stack([policy.act({}) for _ in range(500)])
    assert actions.shape == (500, 3)
    assert actions.min() >= -2
    assert actions.max() <= 0
    assert actions.mean() == pytest.approx(-1, abs=0.1)


def test_a_policy_of_ones_own_is_loaded_by_name() -> None:
    policy = make_policy("own_policy:make", TASK, 5)
    np.testing.assert_array_equal(policy.act({}), np.full(4, 0.5, np.float32))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clever", "unknown policy 'clever'"),
        ("no.such:thing", "cannot load policy"),
        ("gwm:nothing", "cannot load policy"),
    ],
)
def test_an_unknown_policy_is_named(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_policy(name, TASK, 0)


def test_a_task_without_expert_is_named() -> None:
    with pytest.raises(ValueError, match="no scripted policy for task 'chess'"):
        make_policy("scripted", "chess", 0)


def test_every_prefix_of_the_collection_plan_is_balanced() -> None:
    planned = plan_episodes(DEFAULT_TASKS, DEFAULT_COUNTS, 10_000)
    total = sum(DEFAULT_COUNTS.values())
    tasks = len(DEFAULT_TASKS)
    assert len(planned) == len(set(planned)) == tasks * total
    for length in (60, 180, 300):
        prefix = planned[:length]
        for task in DEFAULT_TASKS:
            assert abs(sum(e.task == task for e in prefix) - length / tasks) <= 1
        for kind, count in DEFAULT_COUNTS.items():
            assert abs(sum(e.kind == kind for e in prefix) - length * count / total) <= 4
    seeds = {(e.task, e.seed) for e in planned}
    assert len(seeds) == len(planned)
    with pytest.raises(ValueError, match="1001 episodes"):
        plan_episodes(DEFAULT_TASKS, {"expert": 1001}, 0)
