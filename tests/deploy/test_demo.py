"""The figures and files of `make demo`."""

from __future__ import annotations

from pathlib import Path

import gwm
import numpy as np
import pytest
from demo.metrics import HorizonMetrics, PooledPsnr, changed_pixels, ssim
from demo.pictures import animation, contact_sheet, tell
from demo.ply import write_ply
from demo.rollouts import HORIZONS, evaluate, frames_at, other_episode, starts_of, time_steps
from gwm.episode import Episode, decode_safetensors, read_episode
from gwm.types import Gaussians
from PIL import Image
from still_world import StillWorld, serving

ROOT = Path(__file__).resolve().parents[2]
EPISODES = ROOT / "tests/data/episodes"
GOLDEN = ROOT / "tests/golden/cases/image_metrics.safetensors"


@pytest.fixture(scope="module")
def episodes() -> list[tuple[Path, Episode]]:
    paths = [EPISODES / f"{task}/random_003.safetensors.zst" for task in ("hammer-v3", "plate-slide-v3")]
    return [(path, read_episode(path)) for path in paths]


def test_psnr_is_that_of_the_pooled_error() -> None:
    psnr = PooledPsnr()
    psnr.add(np.full((1, 2, 2, 3), 0.1, np.float32), np.zeros((1, 2, 2, 3), np.float32))
    psnr.add(np.zeros((1, 2, 2, 3), np.float32), np.zeros((1, 2, 2, 3), np.float32))
    assert psnr.value() == pytest.approx(10 * np.log10(1 / 0.005), abs=1e-4)


def test_psnr_of_nothing_is_unknown_and_of_a_perfect_match_is_bounded() -> None:
    psnr = PooledPsnr()
    assert psnr.value() is None
    psnr.add(np.ones((1, 1, 1, 3)), np.ones((1, 1, 1, 3)))
    assert psnr.value() == 100.0


def test_a_pixel_counts_as_changed_from_eleven_of_255_in_one_channel() -> None:
    before = np.zeros((1, 3, 3), np.uint8)
    after = np.array([[[0, 10, 0], [0, 11, 0], [200, 0, 0]]], np.uint8)
    assert changed_pixels(before, after).tolist() == [[False, True, True]]
    assert changed_pixels(after, before).tolist() == [[False, True, True]]


def test_ssim_equals_the_public_implementation() -> None:
    tensors, _ = decode_safetensors(GOLDEN.read_bytes(), str(GOLDEN))
    images = [np.moveaxis(tensors[name], 1, -1) for name in ("in.a", "in.b")]
    assert ssim(*images) == pytest.approx(tensors["out.ssim_skimage"], abs=2e-5)


def test_depth_error_counts_pixels_that_hit_something() -> None:
    metrics = HorizonMetrics()
    rgb = np.zeros((1, 16, 16, 3), np.uint8)
    real_depth = np.zeros((1, 16, 16), np.uint16)
    real_depth[0, 0, :2] = (1000, 2000)
    floats = rgb.astype(np.float32)
    depth = np.ones((1, 16, 16), np.float32)
    metrics.add(rgb=floats, shuffled_rgb=floats, depth_m=depth, start=rgb, real=rgb, real_depth_mm=real_depth)
    assert metrics.report()["depth_mae_m"] == pytest.approx(0.5)
    assert metrics.report()["psnr_changed"] is None


def test_starts_are_every_fifth_step_from_step_two(episodes: list[tuple[Path, Episode]]) -> None:
    starts = starts_of(episodes[0][1])
    assert starts[:3] == [2, 7, 12]
    assert starts[-1] == 97


def test_context_frames_end_at_the_start_with_the_actions_between(
    episodes: list[tuple[Path, Episode]],
) -> None:
    episode = episodes[0][1]
    frames = frames_at(episode, [2, 7], context=3)
    assert frames.rgb.shape == (2, 3, 1, 64, 64, 3)
    assert np.array_equal(frames.rgb[1, -1], episode.rgb[7])
    assert frames.actions is not None
    assert np.array_equal(frames.actions[1], episode.action[6:8])
    assert frames_at(episode, [2], context=8).rgb.shape[1] == 3
    assert frames_at(episode, [2], context=1).actions is None


def test_wrong_actions_come_from_the_next_episode_of_the_task(episodes: list[tuple[Path, Episode]]) -> None:
    hammer, plate = episodes[0][1], episodes[1][1]
    second_hammer = read_episode(EPISODES / "hammer-v3/expert_004.safetensors.zst")
    assert other_episode([hammer, plate, second_hammer], 0) is second_hammer
    assert other_episode([hammer, plate, second_hammer], 2) is hammer
    assert other_episode([hammer, plate, second_hammer], 1) is second_hammer


def test_a_world_that_never_moves_scores_as_repeat_last(episodes: list[tuple[Path, Episode]]) -> None:
    world = StillWorld(context_frames=2)
    with serving(world) as address, gwm.Client(address) as client:
        evaluation = evaluate(client, episodes, budget_s=100, progress=lambda text: None)
    assert evaluation.episodes == 2
    for horizon in HORIZONS:
        report = evaluation.horizons[horizon].report()
        assert report["psnr"] == pytest.approx(report["psnr_repeat_last"], abs=1e-3)
        assert report["psnr_changed"] == pytest.approx(report["psnr_changed_repeat_last"], abs=1e-3)
        assert report["psnr_changed_shuffled"] == pytest.approx(report["psnr_changed"], abs=1e-3)
        assert report["ssim"] == pytest.approx(report["ssim_repeat_last"], abs=1e-5)
    values = [evaluation.horizons[horizon].report()["psnr_repeat_last"] for horizon in HORIZONS]
    assert values == sorted(values, reverse=True)
    # 16 starts make 20 steps, the last four 18, 13, 8 and 3; twice per episode.
    assert world.steps == 2 * 2 * (16 * 20 + 18 + 13 + 8 + 3)


def test_evaluation_stops_between_episodes_when_the_budget_is_used_up(
    episodes: list[tuple[Path, Episode]],
) -> None:
    with serving(StillWorld(context_frames=1)) as address, gwm.Client(address) as client:
        evaluation = evaluate(client, episodes, budget_s=0, progress=lambda text: None)
    assert evaluation.episodes == 1


def test_pictures_and_speed_come_from_the_same_wire(
    episodes: list[tuple[Path, Episode]], tmp_path: Path
) -> None:
    with serving(StillWorld(context_frames=1)) as address, gwm.Client(address) as client:
        stories = [tell(client, path.parent.name, episode) for path, episode in episodes]
        timing = time_steps(client, episodes[0][1])
    assert np.array_equal(stories[0].imagined[-1], episodes[0][1].rgb[2, 0])
    assert timing["step_ms_p99"] >= timing["step_ms_p50"] > 0
    contact_sheet(stories, tmp_path / "sheet.png")
    animation(stories, tmp_path / "rollout.gif")
    with Image.open(tmp_path / "sheet.png") as sheet, Image.open(tmp_path / "rollout.gif") as gif:
        assert sheet.height > len(stories) * 3 * 64
        assert sheet.width > 8 * 3 * 64
        assert gif.n_frames == 41


def test_ply_holds_every_property_in_the_viewers_order(tmp_path: Path) -> None:
    sh = np.arange(2 * 4 * 3, dtype=np.float32).reshape(2, 4, 3)
    cloud = Gaussians(
        np.full((2, 3), 1, np.float32),
        np.full((2, 3), -2, np.float32),
        np.tile(np.array([1, 0, 0, 0], np.float32), (2, 1)),
        sh,
        np.array([0.5, 0.25], np.float32),
    )
    write_ply(tmp_path / "a.ply", cloud)
    header, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    names = [line.split()[2].decode() for line in header.splitlines() if line.startswith(b"property")]
    assert b"element vertex 2" in header
    row = dict(zip(names, np.frombuffer(body, "<f4").reshape(2, -1)[1], strict=True))
    assert (row["x"], row["nx"], row["opacity"], row["scale_2"], row["rot_0"]) == (1, 0, 0.25, -2, 1)
    assert [row[f"f_dc_{channel}"] for channel in range(3)] == sh[1, 0].tolist()
    assert [row[f"f_rest_{index}"] for index in range(3)] == sh[1, 1:, 0].tolist()
