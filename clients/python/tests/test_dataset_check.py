"""gwm dataset check: every defect is named with file, episode, frame, field, value and what is allowed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import DATA
from dataset_files import (
    FIXTURES,
    edit_hdf5,
    lines,
    write_robomimic,
)
from gwm.cli.main import main
from gwm.dataset.importer import write_checksums
from gwm.episode import Episode, encode_safetensors, read_episode, write_episode


def test_what_is_in_order_has_no_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    robomimic = write_robomimic(tmp_path / "image.hdf5")
    paths = [FIXTURES / "lerobot_v30", FIXTURES / "lerobot_v21", robomimic, DATA / "episodes" / "hammer-v3"]
    assert main(["dataset", "check", *map(str, paths)]) == 0
    streams = capsys.readouterr()
    assert [line.rpartition(": ")[0].rpartition("/")[2] for line in streams.out.splitlines()] == [
        "lerobot_v30: lerobot, 3 episodes, 30 frames",
        "lerobot_v21: lerobot, 2 episodes, 18 frames",
        "image.hdf5: robomimic, 2 episodes, 9 frames",
        "hammer-v3: gwm, 4 episodes, 404 frames",
    ]
    assert "episodes/s, ETA" in streams.err


def test_defects_end_with_status_1_lines_and_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_robomimic(tmp_path / "image.hdf5")
    edit_hdf5(source, lambda file: file["data/demo_1/actions"].__setitem__((2, 3), np.nan))
    edit_hdf5(source, lambda file: file["data/demo_1/actions"].__setitem__((3, 1), np.nan))
    assert main(["dataset", "check", str(source)]) == 1
    streams = capsys.readouterr()
    place = (
        f"{source}: episode demo_1, frame 2: actions[3] is nan; allowed: finite numbers (and 1 more frames)"
    )
    assert place in streams.err.splitlines()
    assert streams.out == f"{source}: robomimic, 2 episodes, 9 frames: 1 error\n"


def test_the_same_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_robomimic(tmp_path / "image.hdf5")
    edit_hdf5(source, lambda file: file["data/demo_0/actions"].__setitem__((1, 0), 3))
    assert main(["dataset", "check", str(source), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["errors"]) == (False, 1)
    (report,) = document["reports"]
    assert (report["format"], report["episodes"], report["frames"]) == ("robomimic", 2, 9)
    assert report["errors"] == [
        {
            "file": str(source),
            "episode": "demo_0",
            "frame": 1,
            "field": "actions[0]",
            "value": "3.0",
            "allowed": "-1 to 1, as robomimic asks",
            "more": 0,
        }
    ]


@pytest.mark.parametrize(("name", "value"), [("none", "missing"), ("", "nothing of that kind")])
def test_a_path_that_holds_nothing_is_named(tmp_path: Path, name: str, value: str) -> None:
    (line,) = lines(tmp_path / name)
    assert f"path is {value}; allowed: a folder of episode files, a LeRobot folder" in line


def good_episode() -> Episode:
    rows = 3
    return Episode(
        rgb=np.zeros((rows, 1, 4, 4, 3), np.uint8),
        depth_mm=np.full((rows, 1, 4, 4), 900, np.uint16),
        intrinsics=np.array([[[4, 0, 2], [0, 4, 2], [0, 0, 1]]], np.float32),
        world_from_cam=np.eye(4, dtype=np.float32)[None],
        action=np.array([[0, 0], [1, -1], [0.5, 0]], np.float32),
        reward=np.zeros(rows, np.float32),
        terminated=np.zeros(rows, np.uint8),
        success=np.zeros(rows, np.uint8),
        state=np.zeros((rows, 2), np.float32),
        metadata={"task": "t", "control_dt": "0.1"},
    )


def changed(name: str, index: Any, value: Any) -> dict[str, Any]:
    array = getattr(good_episode(), name).copy()
    array[index] = value
    return {name: array}


def without_rows_after_the_first() -> dict[str, Any]:
    names = ("rgb", "depth_mm", "action", "reward", "terminated", "success", "state")
    return {name: getattr(good_episode(), name)[:1] for name in names}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("action", (2, 1), np.nan), "frame 2: action[1] is nan; allowed: finite numbers"),
        (changed("action", (1, 0), 1.5), "frame 1: action[0] is 1.5; allowed: -1 to 1"),
        (
            changed("action", (0, 0), 0.5),
            "frame 0: action is [0.5, 0.0]; allowed: 0: nothing led to the first",
        ),
        (changed("reward", 1, np.inf), "frame 1: reward is inf; allowed: finite numbers"),
        (changed("state", (1, 1), np.nan), "frame 1: state[1] is nan; allowed: finite numbers"),
        (changed("terminated", 2, 7), "frame 2: terminated is 7; allowed: 0 or 1"),
        (changed("success", 2, 7), "frame 2: success is 7; allowed: 0 or 1"),
        (changed("intrinsics", (0, 0, 0), 0), "intrinsics[0] fx is 0; allowed: 0.4 to 80 pixels"),
        (changed("intrinsics", (0, 1, 2), 9), "intrinsics[0] cy is 9; allowed: between 0 and the height 4"),
        (
            changed("world_from_cam", (0, 0, 0), 2),
            "world_from_cam[0] rotation is off by 3; allowed: orthonormal",
        ),
        (changed("world_from_cam", (0, 0, 3), np.nan), "allowed: finite numbers"),
        (changed("depth_mm", ..., 0), "depth_mm[:, 0] is 0 everywhere; allowed: a surface somewhere, or the"),
        ({"metadata": {"control_dt": "0"}}, "metadata control_dt is '0'; allowed: seconds per step, above 0"),
        ({"metadata": {"control_dt": "x"}}, "metadata control_dt is 'x'; allowed: seconds per step, above 0"),
        (without_rows_after_the_first(), "frames is 1; allowed: at least 2"),
    ],
)
def test_values_of_episode_files(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    write_episode(tmp_path / "a.safetensors", good_episode())
    assert lines(tmp_path) == []
    write_episode(tmp_path / "a.safetensors", replace(good_episode(), **change))
    (line,) = lines(tmp_path)
    assert line.startswith(f"{tmp_path}/a.safetensors: ")
    assert message in line


def test_depth_that_is_a_placeholder_may_be_nothing(tmp_path: Path) -> None:
    blind = replace(good_episode(), metadata={"placeholder": "depth_mm"}, **changed("depth_mm", ..., 0))
    write_episode(tmp_path / "a.safetensors", blind)
    assert lines(tmp_path) == []


def test_files_that_are_no_episodes_and_that_differ_in_shape(tmp_path: Path) -> None:
    write_episode(tmp_path / "a.safetensors", good_episode())
    (tmp_path / "b.safetensors").write_bytes(encode_safetensors({}, {}))
    wider = replace(good_episode(), action=np.zeros((3, 5), np.float32))
    write_episode(tmp_path / "c.safetensors.zst", wider)
    payload = bytearray((tmp_path / "c.safetensors.zst").read_bytes())
    payload[-1] ^= 0xFF  # The checksum that zstd keeps.
    (tmp_path / "d.safetensors.zst").write_bytes(payload)
    damaged, shaped, checksum = lines(tmp_path)
    assert (
        "b.safetensors: file is metadata format is None; expected 'gwm-episode-1'; allowed: a valid"
        in damaged
    )
    assert shaped.startswith(
        f"{tmp_path}/c.safetensors.zst: shape is views 1, height 4, width 4, action size 5"
    )
    assert "allowed: views 1, height 4, width 4, action size 2, as " in shaped
    assert "d.safetensors.zst: file is damaged zstd stream" in checksum


def test_files_that_are_not_those_of_sha256sums(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_episode(tmp_path / f"{name}.safetensors", good_episode())
    write_checksums(tmp_path)
    assert lines(tmp_path) == []
    write_episode(tmp_path / "a.safetensors", replace(good_episode(), success=np.ones(3, np.uint8)))
    (tmp_path / "b.safetensors").rename(tmp_path / "d.safetensors")
    with (tmp_path / "SHA256SUMS").open("a") as stream:
        stream.write("nonsense\n")
    found = lines(tmp_path)
    assert [line.removeprefix(f"{tmp_path}/").partition(" is ")[0] for line in found] == [
        "a.safetensors: sha256",
        "SHA256SUMS: b.safetensors",
        "SHA256SUMS: line 4",
        "d.safetensors: sha256",
    ]
    assert "is missing; allowed: a file, as it is listed" in found[1]
    assert "is not listed; allowed: a line in " in found[3]


def test_published_episodes_are_what_the_check_takes_for_sane() -> None:
    for path in sorted((DATA / "episodes").rglob("*.zst"))[::6]:
        assert read_episode(path).rgb.any()
        assert lines(path) == []
