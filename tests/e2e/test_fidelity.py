"""The shipped checkpoint predicts held-out episodes by the figures that it is shipped for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import BUILD, CHECKPOINT, EPISODES

REQUIRED_GAIN_DB = 4.0  # on changed pixels over repeat-last
REQUIRED_ACTION_DB = 1.5  # what the actions of another episode cost
REQUIRED_NOVEL_DB = -1.5  # of an imagined state from a new camera, against the encoded real one
# Of the reward of a step, which reaches 20: two simulator steps of at most 10.
REQUIRED_REWARD_MAE = 0.85


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`gwm-train eval` on the noisy episode of every task."""
    folder = tmp_path_factory.mktemp("fidelity")
    for episode in EPISODES.glob("*/noisy_*"):
        task = folder / "episodes" / episode.parent.name
        task.mkdir(parents=True)
        (task / episode.name).symlink_to(episode)
    out = folder / "eval.json"
    command = [BUILD / "bin/gwm-train", "eval", f"--checkpoint={CHECKPOINT}", "--horizons=1,5,10,20"]
    command += [f"--episodes={folder / 'episodes'}", f"--json={out}"]
    command += [f"--novel_view={EPISODES.parent / 'novel_view'}"]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=600)
    return json.loads(Path(out).read_text())["all"]


@pytest.mark.parametrize("horizon", ["1", "5", "10", "20"])
def test_whole_image_is_better_than_repeat_last(figures: Any, horizon: str) -> None:
    row = figures["horizons"][horizon]
    assert row["psnr"] > row["psnr_repeat_last"]


@pytest.mark.parametrize("horizon", ["5", "10"])
def test_changed_pixels_are_much_better_than_repeat_last(figures: Any, horizon: str) -> None:
    row = figures["horizons"][horizon]
    assert row["psnr_changed"] >= row["psnr_changed_repeat_last"] + REQUIRED_GAIN_DB


@pytest.mark.parametrize("horizon", ["5", "10"])
def test_actions_of_another_episode_cost_fidelity(figures: Any, horizon: str) -> None:
    row = figures["horizons"][horizon]
    assert row["psnr_changed"] >= row["psnr_changed_shuffled"] + REQUIRED_ACTION_DB


@pytest.mark.parametrize("horizon", ["5", "10"])
def test_imagined_states_hold_from_a_new_camera(figures: Any, horizon: str) -> None:
    row = figures["novel_view"]["horizons"][horizon]
    assert row["psnr"] >= row["psnr_tokenizer"] + REQUIRED_NOVEL_DB
    assert row["psnr"] > row["psnr_repeat_last"]


@pytest.mark.parametrize("horizon", ["5", "10", "20"])
def test_expected_errors_rank_rollouts_better_than_their_change_does(figures: Any, horizon: str) -> None:
    expected = figures["horizons"][horizon]["expected_error"]
    assert expected["rank_correlation"] > expected["rank_correlation_of_change"]
    assert 0.5 * expected["mean_true"] <= expected["mean"] <= 2 * expected["mean_true"]


def test_rewards_and_successes_are_known(figures: Any) -> None:
    assert figures["reward_mae"] <= REQUIRED_REWARD_MAE
    assert figures["success_auc"] >= 0.95


def test_a_hundred_steps_stay_sane(figures: Any) -> None:
    rollout = figures["long_rollout"]
    assert rollout["rollouts"] == 6
    assert rollout["finite"]
    assert rollout["worst_luminance_change"] <= 0.05
    assert rollout["psnr_last"] >= rollout["psnr_repeat_first"] - 1
    assert rollout["depth_mae_last_m"] <= 1.5 * rollout["depth_mae_at_10_m"]
