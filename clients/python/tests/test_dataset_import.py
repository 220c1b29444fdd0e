"""gwm dataset import: what becomes of LeRobot and robomimic episodes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import (
    FIXTURES,
    INTRINSICS,
    POSE,
    copy_lerobot,
    edit_json,
    refusal,
    run_import,
    write_cameras,
    write_robomimic,
)
from gwm.cli.main import main
from gwm.episode import find_episodes, read_episode
from PIL import Image

V30, V21 = FIXTURES / "lerobot_v30", FIXTURES / "lerobot_v21"
# Grey survives the videos within a few levels; neighbouring frames are 10 apart.
VIDEO_ERROR = 4


def test_each_camera_of_lerobot_v30_is_read_from_its_own_file_and_time_span(tmp_path: Path) -> None:
    assert run_import("lerobot", V30, tmp_path / "out", "--rgb-only") == 0
    paths = find_episodes(tmp_path / "out")
    assert [str(path.relative_to(tmp_path / "out")) for path in paths] == [
        "lift-the-block/demonstration_000001.safetensors.zst",
        "push-the-block/demonstration_000000.safetensors.zst",
        "push-the-block/demonstration_000002.safetensors.zst",
    ]
    for path, length in zip(paths, (8, 10, 12), strict=True):
        episode = read_episode(path)
        assert episode.rgb.shape == (length, 2, 64, 64, 3)
        expected = (40 + 10 * np.arange(length))[:, None]
        np.testing.assert_allclose(episode.rgb[:, :, 32, 8, 1], expected.repeat(2, 1), atol=VIDEO_ERROR)


def test_actions_and_rewards_stand_in_the_row_of_their_result(tmp_path: Path) -> None:
    assert run_import("lerobot", V21, tmp_path / "out", "--rgb-only", "--episodes", "0") == 0
    episode = read_episode(find_episodes(tmp_path / "out")[0])
    t = np.arange(9)
    np.testing.assert_array_equal(episode.action[0], [0, 0, 0])
    np.testing.assert_array_equal(episode.action[1:, 0], t / np.float32(16))
    np.testing.assert_array_equal(episode.reward, [0, *(0.5 * t)])
    np.testing.assert_array_equal(episode.state[:, 0], np.arange(10))
    # Done and success are told with the tenth action, whose result was not recorded.
    assert episode.terminated.tolist() == episode.success.tolist() == [0] * 9 + [1]
    assert episode.metadata["placeholder"] == "depth_mm,intrinsics,world_from_cam"
    assert episode.metadata["dropped_reward"] == "4.5"
    assert episode.metadata["control_dt"] == "0.1"
    assert episode.metadata["task"] == "Push the block."


def test_the_last_frame_may_stand_for_the_result_of_the_last_action(tmp_path: Path) -> None:
    flags = ("--rgb-only", "--episodes", "0", "--last-action", "repeat-frame")
    assert run_import("lerobot", V21, tmp_path / "out", *flags) == 0
    episode = read_episode(find_episodes(tmp_path / "out")[0])
    assert len(episode) == 11
    np.testing.assert_array_equal(episode.rgb[10], episode.rgb[9])
    assert episode.reward[10] == 4.5
    assert episode.terminated.tolist() == [0] * 10 + [1]
    assert "dropped_reward" not in episode.metadata


def test_depth_and_matrices_come_from_flags_and_follow_the_size(tmp_path: Path) -> None:
    flags = write_cameras(tmp_path, "top")
    flags += ["--camera", "top", "--depth", "observation.depth.top", "--size", "32x16"]
    assert run_import("lerobot", V30, tmp_path / "out", *flags) == 0
    episode = read_episode(find_episodes(tmp_path / "out")[0])
    assert episode.depth_mm.shape == (8, 1, 16, 32)
    assert episode.depth_mm[:, 0, 5, 5].tolist() == [1000 + 125 * t for t in range(8)]
    np.testing.assert_array_equal(episode.intrinsics[0], [[32, 0, 16], [0, 16, 8], [0, 0, 1]])
    np.testing.assert_array_equal(episode.world_from_cam[0], np.float32(POSE))
    assert "placeholder" not in episode.metadata


def test_robomimic_brings_its_matrices_depth_and_last_observation(tmp_path: Path) -> None:
    source = write_robomimic(tmp_path / "image.hdf5")
    assert run_import("robomimic", source, tmp_path / "out") == 0
    paths = find_episodes(tmp_path / "out")
    assert [path.parent.name for path in paths] == ["lift", "lift"]
    episode = read_episode(paths[1])
    assert episode.rgb[:, 0, 0, 0, 0].tolist() == [10, 11, 12, 13, 14]
    assert episode.depth_mm[:, 0, 0, 0].tolist() == [1000, 1100, 1200, 1300, 1400]
    np.testing.assert_array_equal(episode.intrinsics[0], np.float32(INTRINSICS))
    np.testing.assert_array_equal(episode.world_from_cam[0], np.float32(POSE))
    np.testing.assert_allclose(episode.action[:, 0], [0, 0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    assert (
        episode.reward.tolist() == episode.terminated.tolist() == episode.success.tolist() == [0, 0, 0, 0, 1]
    )
    assert episode.state is not None
    assert episode.state.shape == (5, 3)
    assert episode.metadata["control_dt"] == "0.05"


def test_a_wall_at_a_constant_distance_and_minmax_are_noted(tmp_path: Path) -> None:
    source = write_robomimic(tmp_path / "image.hdf5", depth=False)
    flags = ("--depth-constant", "1.5", "--actions", "minmax", "--task", "lift-v1", "--kind", "human")
    assert run_import("robomimic", source, tmp_path / "out", *flags) == 0
    path = tmp_path / "out/lift-v1/human_000000.safetensors.zst"
    episode = read_episode(path)
    assert set(episode.depth_mm.ravel().tolist()) == {1500}
    np.testing.assert_allclose(episode.action[1:, 0], [-1, -0.5, 0, 0.5, 1], atol=1e-6)
    np.testing.assert_allclose(json.loads(episode.metadata["action_high"]), [0.5] * 7, rtol=1e-6)
    assert episode.metadata["depth_constant_m"] == "1.5"


def test_pictures_inside_parquet_are_read_too(tmp_path: Path) -> None:
    source = copy_lerobot("v21", tmp_path)
    info = json.loads((source / "meta/info.json").read_text())
    features = info["features"]
    features["observation.images.front"]["dtype"] = "image"
    features["observation.depth"] = {"dtype": "image", "shape": [64, 64, 1], "names": None}
    edit_json(source / "meta/info.json", features=features)
    for path in sorted(source.glob("data/*/*.parquet")):
        table = pq.read_table(path)
        pictures = [png(np.full((64, 64, 3), 9 + t, np.uint8)) for t in range(len(table))]
        depths = [png(np.full((64, 64), 2000 + t, np.uint16)) for t in range(len(table))]
        for name, data in (("observation.images.front", pictures), ("observation.depth", depths)):
            cells = pa.array([{"bytes": cell, "path": None} for cell in data])
            table = table.append_column(name, cells)
        pq.write_table(table, path)
    flags = [*write_cameras(tmp_path, "front"), "--depth", "observation.depth"]
    assert run_import("lerobot", source, tmp_path / "out", *flags) == 0
    episode = read_episode(find_episodes(tmp_path / "out")[0])
    assert episode.rgb[:, 0, 3, 3, 2].tolist() == [9 + t for t in range(8)]
    assert episode.depth_mm[:, 0, 3, 3].tolist() == [2000 + t for t in range(8)]


def png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def test_an_interrupted_import_goes_on_and_the_bytes_are_always_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_import("lerobot", V30, tmp_path / "whole", "--rgb-only") == 0
    assert run_import("lerobot", V30, tmp_path / "parts", "--rgb-only", "--episodes", ":1") == 0
    first = find_episodes(tmp_path / "parts")[0]
    written = first.stat().st_mtime_ns
    capsys.readouterr()
    assert run_import("lerobot", V30, tmp_path / "parts", "--rgb-only") == 0
    streams = capsys.readouterr()
    assert "1 episodes were there already" in streams.out
    assert "frames/s, ETA" in streams.err
    assert first.stat().st_mtime_ns == written
    assert files(tmp_path / "whole") == files(tmp_path / "parts")
    assert main(["dataset", "check", str(tmp_path / "parts")]) == 0


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_a_folder_of_other_episodes_or_options_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_import("lerobot", V21, tmp_path / "out", "--rgb-only") == 0
    before = files(tmp_path / "out")
    line = refusal(capsys, "lerobot", V21, tmp_path / "out", "--rgb-only", "--size", "32x32")
    assert line.endswith("import.json: size is '32x32'; allowed: 'None', as before; or take another OUT")
    assert files(tmp_path / "out") == before
    (tmp_path / "out/import.json").write_text("{")
    assert "import.json: file is not JSON" in refusal(capsys, "lerobot", V21, tmp_path / "out", "--rgb-only")
    (tmp_path / "out/import.json").unlink()
    line = refusal(capsys, "lerobot", V21, tmp_path / "out", "--rgb-only")
    assert "OUT is a folder with other episodes; allowed: an empty folder" in line


@pytest.mark.parametrize("action", ["import", "check"])
def test_help_has_examples(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dataset", action, "--help"])
    assert "examples:" in capsys.readouterr().out
