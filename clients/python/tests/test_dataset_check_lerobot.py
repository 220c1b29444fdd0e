"""gwm dataset check: defects of LeRobot data sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import (
    FIXTURES,
    copy_lerobot,
    edit_json,
    edit_parquet,
    lines,
)
from gwm.cli.main import main
from gwm.dataset.lerobot_layout import read_layout
from gwm.dataset.lerobot_rows import row_findings

ROWS = "data/chunk-000/file-000.parquet"
V21_ROWS = "data/chunk-000/episode_000001.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
TOP = "videos/observation.images.top/chunk-000/file-000.mp4"


def put(column: str, row: int, value: Any) -> Callable[[Path, str], None]:
    return lambda root, file: edit_parquet(
        root / file, lambda columns: columns[column].__setitem__(row, value)
    )


def swap(column: str, row: int) -> Callable[[Path, str], None]:
    def change(columns: dict[str, list[Any]]) -> None:
        values = columns[column]
        values[row], values[row + 1] = values[row + 1], values[row]

    return lambda root, file: edit_parquet(root / file, change)


@pytest.mark.parametrize(
    ("file", "change", "messages"),
    [
        (
            ROWS,
            put("timestamp", 12, 0.25),
            ["episode 1, frame 2: timestamp is 0.25; allowed: frame_index / 10 s +-"],
        ),
        (
            ROWS,
            swap("frame_index", 3),
            ["episode 0, frame 3: frame_index is 4; allowed: 0, 1, 2, ... in order"],
        ),
        (ROWS, put("index", 11, 5), ["episode 1, frame 1: index is 5; allowed: 10, 11, ..."]),
        (ROWS, put("task_index", 29, 9), ["episode 2, frame 11: task_index is 9; allowed: one of [0, 1]"]),
        (
            ROWS,
            put("action", 4, [float("nan"), 0, 0]),
            ["episode 0, frame 4: action[0] is nan; allowed: finite"],
        ),
        (
            ROWS,
            put("action", 4, [9.0, 0, 0]),
            ["episode 0, frame 4: action[0] is 9.0; allowed: the range of meta/"],
        ),
        (ROWS, put("next.reward", 1, None), ["episode 0, frame 1: next.reward is null; allowed: numbers"]),
        (
            ROWS,
            put("episode_index", 29, 1),
            ["episode 1: rows is 9; allowed: 8,", "episode 2: rows is 11; allowed: 12,"],
        ),
        (
            EPISODES,
            put("dataset_from_index", 1, 11),
            [
                "episode 1: dataset_from_index:dataset_to_index is 11:18; allowed: 10:18, as the lengths",
                "episode 1, frame 0: index is 10; allowed: 11, 12, ... (and 7 more frames)",
            ],
        ),
        (
            EPISODES,
            put("videos/observation.images.top/file_index", 0, 1),
            ["episode 0, frame 8: observation.images.top is nearest at 0.700000 s; allowed: a frame at 0.8"],
        ),
        (
            EPISODES,
            put("videos/observation.images.wrist/to_timestamp", 1, 2.5),
            ["episode 1: observation.images.wrist time span is 1 to 2.5 s; allowed: 0.8 s long, 8 frames"],
        ),
    ],
)
def test_rows_and_spans_of_lerobot(
    tmp_path: Path, file: str, change: Callable[[Path, str], None], messages: list[str]
) -> None:
    root = copy_lerobot("v30", tmp_path)
    change(root, file)
    found = lines(root)
    assert len(found) == len(messages), found
    for line, message in zip(found, messages, strict=True):
        assert message in line


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codebase_version": "v2.0"}, "codebase_version is 'v2.0'; allowed: v2.1 or v3.0"),
        ({"fps": 0}, "fps is 0; allowed: frames per second, above 0"),
        ({"features": []}, "features is list; allowed: an object that has 'action'"),
        ({"total_episodes": 4}, "total_episodes is 4; allowed: 3, the episodes of meta/"),
        ({"total_frames": 4}, "total_frames is 4; allowed: 30, the sum of their lengths"),
        ({"total_tasks": 4}, "total_tasks is 4; allowed: 2, the tasks of meta/"),
        (
            {"data_path": "{nonsense}"},
            "meta: layout is malformed (KeyError('nonsense')); allowed: that of v3.0",
        ),
    ],
)
def test_info_of_lerobot(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    root = copy_lerobot("v30", tmp_path)
    edit_json(root / "meta/info.json", **changes)
    (line,) = lines(root)
    assert message in line


def remove(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def overwrite(name: str, text: str) -> Callable[[Path], None]:
    return lambda root: (root / name).write_text(text) and None


def drop_column(name: str, column: str) -> Callable[[Path], None]:
    return lambda root: pq.write_table(pq.read_table(root / name).drop_columns([column]), root / name)


@pytest.mark.parametrize(
    ("version", "change", "message"),
    [
        ("v30", overwrite("meta/info.json", "{"), "meta/info.json: file is not JSON"),
        ("v30", overwrite("meta/info.json", "[]"), "meta/info.json: file is list; allowed: a JSON object"),
        ("v30", remove(EPISODES), "meta/episodes: files is none; allowed: chunk-NNN/file-NNN.parquet"),
        ("v30", drop_column(EPISODES, "length"), "columns is without 'length'; allowed: "),
        ("v30", remove("meta/tasks.parquet"), "meta/tasks.parquet: file is missing; allowed: a Parquet file"),
        ("v30", remove(ROWS), f"{ROWS}: file is missing; allowed: a Parquet file"),
        ("v30", overwrite(ROWS, "x"), f"{ROWS}: file is unreadable"),
        ("v30", drop_column(ROWS, "timestamp"), "columns is without 'timestamp'; allowed: "),
        ("v30", remove(TOP), f"{TOP}: file is unreadable"),
        ("v30", overwrite(TOP, "x"), "allowed: a video that FFmpeg can decode"),
        (
            "v21",
            lambda root: put("episode_index", slice(0, 8), [7] * 8)(root, V21_ROWS),
            "episode_000001.parquet: episode 1: rows is 0; allowed: at least 1",
        ),
        (
            "v21",
            remove("meta/episodes.jsonl"),
            "meta/episodes.jsonl: file is missing; allowed: one JSON object",
        ),
        ("v21", overwrite("meta/tasks.jsonl", "{"), "meta/tasks.jsonl: file is not JSON"),
        (
            "v21",
            overwrite(
                "meta/episodes.jsonl", '{"episode_index": 1, "tasks": ["Lift the block."], "length": 8}\n'
            ),
            "episode_index is 1; allowed: 0: 0, 1, 2, ... without gaps",
        ),
        ("v21", overwrite("meta/stats.json", '{"action": {"min": [0]}}'), "action.min, action.max is (1,)"),
    ],
)
def test_files_of_lerobot(tmp_path: Path, version: str, change: Callable[[Path], None], message: str) -> None:
    root = copy_lerobot(version, tmp_path)
    change(root)
    assert any(message in line for line in lines(root)), lines(root)


def test_a_feature_of_another_shape_and_a_video_that_is_too_long(tmp_path: Path) -> None:
    root = copy_lerobot("v21", tmp_path)
    info = json.loads((root / "meta/info.json").read_text())
    info["features"]["observation.state"]["shape"] = [5]
    edit_json(root / "meta/info.json", features=info["features"])
    videos = root / "videos/chunk-000/observation.images.front"
    (videos / "episode_000001.mp4").write_bytes((videos / "episode_000000.mp4").read_bytes())
    found = lines(root)
    assert "observation.state is of shape [2]; allowed: [5], as info.json says" in found[0]
    assert "observation.images.front frames is 10; allowed: 8, as its episodes have" in found[-1]


def test_time_stamps_within_the_asked_tolerance_pass(tmp_path: Path) -> None:
    root = copy_lerobot("v30", tmp_path)
    put("timestamp", 12, 0.21)(root, ROWS)
    assert main(["dataset", "check", str(root)]) == 1
    assert main(["dataset", "check", str(root), "--tolerance-s", "0.02"]) == 0


def test_tasks_may_be_the_unnamed_index_that_pandas_writes(tmp_path: Path) -> None:
    root = copy_lerobot("v30", tmp_path)
    table = pq.read_table(root / "meta/tasks.parquet")
    names = ["task_index" if name == "task_index" else "__index_level_0__" for name in table.column_names]
    pq.write_table(pa.table(dict(zip(names, table.columns, strict=True))), root / "meta/tasks.parquet")
    assert lines(root) == []


def test_what_f32_rounds_off_time_stamps_is_no_defect() -> None:
    layout = read_layout(FIXTURES / "lerobot_v21")
    count = 200_000  # 20,000 s, where neighbouring f32 numbers lie 0.002 s apart.
    order = np.arange(count)
    rows = {"frame_index": order, "index": order, "task_index": np.zeros(count, int)}
    rows["timestamp"] = (order / layout.fps).astype(np.float32)
    episode = replace(layout.episodes[0], length=count)
    assert row_findings(layout, episode, rows, 1e-4) == []
    rows["timestamp"][150_000] += 0.01
    assert [finding.frame for finding in row_findings(layout, episode, rows, 1e-4)] == [150_000]


def test_depth_videos_are_no_cameras(tmp_path: Path) -> None:
    root = copy_lerobot("v30", tmp_path)
    features = json.loads((root / "meta/info.json").read_text())["features"]
    features["observation.images.wrist"]["info"]["video.is_depth_map"] = True
    edit_json(root / "meta/info.json", features=features)
    assert read_layout(root).colour_keys() == ["observation.images.top"]
