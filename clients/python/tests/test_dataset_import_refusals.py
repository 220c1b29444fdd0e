"""gwm dataset import: what is refused, and what the refusal tells."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_files import (
    FIXTURES,
    copy_lerobot,
    edit_hdf5,
    edit_json,
    edit_parquet,
    refusal,
    replace_array,
    run_import,
    write_robomimic,
)
from gwm.dataset.importer import parse_span
from gwm.episode import find_episodes

V30, V21 = FIXTURES / "lerobot_v30", FIXTURES / "lerobot_v21"


# Grey survives the videos within a few levels; neighbouring frames are 10 apart.
def test_what_is_missing_is_told_with_the_flag_that_supplies_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capsys, "lerobot", V30, tmp_path / "out")
    for part in (
        "episode 0: source is without depth_mm of top, wrist (--depth FEATURE per camera, or --depth-",
        '--intrinsics FILE: {"top": {"fx":, "fy":, "cx":, "cy":}} at 64x64',
        '--world-from-cam FILE: {"top": 4x4 numbers}',
        "--rgb-only for policies that see RGB alone (LeRobot data sets store no camera matrices",
    ):
        assert part in line
    assert not (tmp_path / "out").exists()
    source = write_robomimic(tmp_path / "image.hdf5", depth=False, cameras=False)
    assert "cameras in the hand do not count" in refusal(capsys, "robomimic", source, tmp_path / "out")


def test_a_camera_in_the_hand_needs_a_pose_from_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_robomimic(tmp_path / "image.hdf5")

    def rename(file: Any) -> None:
        for demo in file["data"].values():
            info = json.loads(demo.attrs["camera_info"])
            demo.attrs["camera_info"] = json.dumps({"robot0_eye_in_hand": info["agentview"]})
            for group in (demo["obs"], demo["next_obs"]):
                for kind in ("image", "depth"):
                    group.move(f"agentview_{kind}", f"robot0_eye_in_hand_{kind}")

    edit_hdf5(source, rename)
    line = refusal(capsys, "robomimic", source, tmp_path / "out")
    assert "source is without world_from_cam of robot0_eye_in_hand (--world-from-cam" in line


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--camera", "side"], "--camera is 'side'; allowed: top, wrist"),
        (["--episodes", "3:"], "--episodes is 3:; allowed: a part of 0:3"),
        (["--episodes", "2:1"], "--episodes is '2:1'; allowed: A:B with 0 <= A < B, A:, :B or A"),
        (["--size", "64"], "--size is '64'; allowed: WIDTHxHEIGHT in pixels"),
        (["--size", "0x8"], "--size is '0x8'; allowed: WIDTHxHEIGHT in pixels"),
        (["--depth", "observation.depth.top"], "--depth is given 1 times; allowed: once per camera (2)"),
        (["--depth", "x", "--camera", "top"], "--depth is 'x'; allowed: observation.state, action,"),
        (
            ["--depth", "observation.images.wrist", "--camera", "top"],
            "--depth is 'observation.images.wrist', a video; allowed: an image or array feature",
        ),
        (
            ["--depth", "observation.state", "--camera", "top"],
            "--depth is 'observation.state' of shape [2]; allowed: [H, W] per frame",
        ),
        (["--tolerance-s", "0.05"], "--tolerance-s is 0.05; allowed: above 0, below half a frame, 0.05 s"),
        (["--depth-constant", "-1"], "--depth-constant is -1; allowed: metres, above 0 and below 65.536"),
        (["--depth-unit-m", "nan"], "--depth-unit-m is nan; allowed: metres"),
        (["--depth", "a", "--depth-constant", "1"], "--depth and --depth-constant are both given"),
        (["--action-key", "act"], "--action-key is 'act'; allowed: observation.state, action,"),
        (["--state-key", "joints"], "--state-key is 'joints'; allowed: observation.state, action,"),
        (
            ["--action-key", "observation.state"],
            "frame 2: action[0] is 2.0; allowed: -1 to 1; give --actions minmax",
        ),
    ],
)
def test_options_that_do_not_fit_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    assert message in refusal(capsys, "lerobot", V30, tmp_path / "out", "--rgb-only", *flags)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flag", "content", "message"),
    [
        ("--intrinsics", "{", "file is not JSON"),
        ("--intrinsics", "[]", "file is list; allowed: a JSON object with one entry per camera"),
        (
            "--intrinsics",
            '{"top": {"fx": 3}}',
            "top is {'fx': 3}; allowed: 3x3 numbers, or an object with fx",
        ),
        (
            "--intrinsics",
            '{"top": [[1, 0, 32], [0, 60, 32], [0, 0, 1]]}',
            "fx is 1; allowed: 6.4 to 1280 pixels",
        ),
        (
            "--intrinsics",
            '{"top": [[60, 0, 99], [0, 60, 32], [0, 0, 1]]}',
            "cx is 99; allowed: between 0 and",
        ),
        (
            "--intrinsics",
            '{"top": [[60, 5, 32], [0, 60, 32], [0, 0, 1]]}',
            "allowed: [[fx, 0, cx], [0, fy, cy]",
        ),
        ("--intrinsics", '{"top": [[NaN, 0, 32], [0, 60, 32], [0, 0, 1]]}', "allowed: finite numbers"),
        ("--world-from-cam", '{"top": [[1, 0], [0, 1]]}', "top is [[1, 0], [0, 1]]; allowed: 4x4 numbers"),
        ("--world-from-cam", json.dumps({"top": np.diag([2.0, 1, 1, 1]).tolist()}), "rotation is off by 3"),
        ("--world-from-cam", json.dumps({"top": np.diag([-1.0, 1, 1, 1]).tolist()}), "a reflection"),
        (
            "--world-from-cam",
            json.dumps({"top": np.diag([1.0, 1, 1, 2]).tolist()}),
            "row 3 is [0.0, 0.0, 0.0, 2.0]",
        ),
        ("--world-from-cam", '{"top": [[NaN,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}', "finite numbers"),
    ],
)
def test_matrices_that_are_no_cameras_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, content: str, message: str
) -> None:
    (tmp_path / "m.json").write_text(content)
    flags = ("--rgb-only", "--camera", "top", flag, str(tmp_path / "m.json"))
    line = refusal(capsys, "lerobot", V30, tmp_path / "out", *flags)
    assert message in line


def test_sources_that_are_not_there_or_of_another_kind_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "source is missing; allowed: a folder (lerobot)" in refusal(
        capsys, "lerobot", tmp_path / "no", tmp_path
    )
    (tmp_path / "x").mkdir()
    assert "meta/info.json: file is missing" in refusal(capsys, "lerobot", tmp_path / "x", tmp_path / "out")
    (tmp_path / "x.hdf5").write_text("no HDF5")
    line = refusal(capsys, "robomimic", tmp_path / "x.hdf5", tmp_path / "out")
    assert "file is unreadable" in line
    assert "allowed: a robomimic HDF5 file" in line


def set_array(name: str, values: Any) -> Any:
    return lambda file: replace_array(file["data/demo_0"], name, values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_array("obs/agentview_image", np.zeros((5, 6, 8, 3))), "image agentview is float64 [6, 6, 8, 3]"),
        (set_array("actions", np.zeros((3, 7))), "image agentview is 6 frames; allowed: 3 or 4, as actions"),
        (set_array("actions", np.full((5, 7), np.nan)), "frame 0: action[0] is nan; allowed: finite numbers"),
        (set_array("rewards", np.zeros(4)), "reward is 4 rows; allowed: 5, as actions"),
        (set_array("obs/robot0_eef_pos", np.zeros((4, 3))), "state is 5 rows; allowed: 6, as images"),
        (
            set_array("obs/agentview_depth", np.zeros((5, 3, 3, 1))),
            "next_obs/agentview_depth is of rows [6, 8, 1]; allowed: [3, 3, 1]",
        ),
        (set_array("obs/agentview_depth", np.full((5, 6, 8, 1), -1.0)), "depth agentview[0][0] is -1.0"),
        (lambda file: file["data/demo_0"].pop("actions"), "demo_0: actions is missing; allowed: one of"),
        (lambda file: [file["data"].pop(name) for name in ("demo_0", "demo_1")], "groups is no data/demo_N"),
        (lambda file: file["data"].attrs.__setitem__("env_args", "{"), "data.attrs['env_args'] is not JSON"),
        (lambda file: file["data"].attrs.__setitem__("env_args", "[]"), "data.attrs['env_args'] is list"),
        (
            lambda file: file["data/demo_0"].attrs.__setitem__("camera_info", '{"agentview": {}}'),
            "camera_info['agentview'] is {}; allowed: numbers 'intrinsics' and 'extrinsics'",
        ),
        (
            lambda file: file["data/demo_0"].attrs.__setitem__(
                "camera_info", '{"agentview": {"intrinsics": [1], "extrinsics": [1]}}'
            ),
            "camera_info['agentview'] is of shapes (1,) and (1,); allowed: (3, 3) and (4, 4)",
        ),
    ],
)
def test_robomimic_files_that_contradict_themselves_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, message: str
) -> None:
    source = write_robomimic(tmp_path / "image.hdf5")
    edit_hdf5(source, change)
    line = refusal(capsys, "robomimic", source, tmp_path / "out")
    assert message in line
    assert find_episodes(tmp_path / "out") == []


def test_an_episode_of_one_frame_and_cameras_of_two_sizes_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_robomimic(tmp_path / "image.hdf5", next_obs=False)

    def shorten(file: Any) -> None:
        demo = file["data/demo_0"]
        for name in ("actions", "rewards", "dones", "obs/agentview_image", "obs/agentview_depth"):
            replace_array(demo, name, demo[name][:1])
        replace_array(demo, "obs/robot0_eef_pos", demo["obs/robot0_eef_pos"][:1])

    def add_camera(file: Any) -> None:
        for demo in file["data"].values():
            demo["obs/side_image"] = np.zeros((len(demo["actions"]), 4, 4, 3), np.uint8)

    edit_hdf5(source, shorten)
    assert "frames is 1; allowed: at least 2" in refusal(capsys, "robomimic", source, tmp_path / "out")
    edit_hdf5(source, add_camera)
    line = refusal(capsys, "robomimic", source, tmp_path / "out", "--rgb-only", "--episodes", "1")
    assert "image sizes is agentview 8x6, side 4x4; allowed: one size for all cameras; give" in line
    assert (
        run_import("robomimic", source, tmp_path / "out", "--rgb-only", "--episodes", "1", "--size", "8x6")
        == 0
    )


def test_lerobot_rows_and_videos_that_do_not_fit_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = copy_lerobot("v30", tmp_path)
    episodes = source / "meta/episodes/chunk-000/file-000.parquet"
    edit_parquet(episodes, lambda c: c["videos/observation.images.wrist/from_timestamp"].__setitem__(1, 1.03))
    line = refusal(capsys, "lerobot", source, tmp_path / "out", "--rgb-only", "--episodes", "1")
    assert (
        "episode 1, frame 0: observation.images.wrist is nearest at 1.000000 s; allowed: a frame at 1.03"
        in line
    )
    edit_parquet(episodes, lambda c: c["length"].__setitem__(0, 9))
    line = refusal(capsys, "lerobot", source, tmp_path / "out", "--rgb-only")
    assert "episode 0: rows is 10; allowed: 9, the length that meta/ tells" in line
    edit_json(source / "meta/info.json", codebase_version="v1.6")
    line = refusal(capsys, "lerobot", source, tmp_path / "out", "--rgb-only")
    assert "codebase_version is 'v1.6'; allowed: v2.1 or v3.0" in line


def test_a_missing_library_is_told_with_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_robomimic(tmp_path / "image.hdf5")
    real = importlib.import_module

    def without_h5py(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "h5py":
            raise ModuleNotFoundError("No module named 'h5py'", name="h5py")
        return real(name, *args, **kwargs)

    monkeypatch.setattr("gwm.dataset.extras.importlib.import_module", without_h5py)
    line = refusal(capsys, "robomimic", source, tmp_path / "out")
    assert "needs the Python package 'h5py'" in line
    assert "pip install 'gwm[dataset]'" in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3:7", slice(3, 7)), (":7", slice(0, 7)), ("3:", slice(3, None)), ("3", slice(3, 4))],
)
def test_spans_of_episodes(text: str, expected: slice) -> None:
    assert parse_span(text) == expected


@pytest.mark.parametrize("text", ["", ":", "a", "-1", "4:4", "5:4", "1:2:3"])
def test_spans_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="--episodes is"):
        parse_span(text)
