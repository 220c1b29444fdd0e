"""Foreign data sets for tests: robomimic files written through h5py, copies of the LeRobot fixtures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gwm.cli.main import main
from gwm.dataset.check import check_path

FIXTURES = Path(__file__).resolve().parent / "data"
LENGTHS = (5, 4)
SIZE = (6, 8)  # height, width
POSE = [[1.0, 0, 0, 0.5], [0, 0, 1, 0], [0, -1, 0, 1], [0, 0, 0, 1]]
INTRINSICS = [[8.0, 0, 4], [0, 8, 3], [0, 0, 1]]


def write_robomimic(path: Path, *, next_obs: bool = True, depth: bool = True, cameras: bool = True) -> Path:
    """Two demos; pixel values are 10 * demo + t, depths 1 + t / 10 m, rewards 1 on the last action."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps(
            {"env_name": "Lift", "type": 1, "env_kwargs": {"control_freq": 20, "reward_shaping": False}}
        )
        data.attrs["total"] = sum(LENGTHS)
        for demo, length in enumerate(LENGTHS):
            group = data.create_group(f"demo_{demo}")
            group.attrs["num_samples"] = length
            if cameras:
                entry = {"intrinsics": INTRINSICS, "extrinsics": POSE}
                group.attrs["camera_info"] = json.dumps({"agentview": entry})
            last = np.arange(length) == length - 1
            group["actions"] = np.stack([np.full(7, (t + 1) / 10) for t in range(length)])
            group["rewards"], group["dones"] = last.astype(float), last.astype(int)
            for name, first in (("obs", 0), ("next_obs", 1)) if next_obs else (("obs", 0),):
                t = np.arange(first, first + length)
                level = (10 * demo + t).astype(np.uint8)
                group[f"{name}/agentview_image"] = np.broadcast_to(
                    level[:, None, None, None], (length, *SIZE, 3)
                )
                group[f"{name}/robot0_eef_pos"] = np.stack([t, t, t], axis=1).astype(float)
                if depth:
                    metres = (1 + t / 10).astype(np.float32)[:, None, None, None]
                    group[f"{name}/agentview_depth"] = np.broadcast_to(metres, (length, *SIZE, 1))
        file["mask/train"] = np.array([b"demo_0"])
    return path


def edit_hdf5(path: Path, change: Callable[[Any], None]) -> None:
    with h5py.File(path, "r+") as file:
        change(file)


def replace_array(group: Any, name: str, values: Any) -> None:
    del group[name]
    group[name] = values


def copy_lerobot(version: str, folder: Path) -> Path:
    """A copy of the fixture "v30" or "v21" that a test may damage."""
    return Path(shutil.copytree(FIXTURES / f"lerobot_{version}", folder / "source"))


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_parquet(path: Path, change: Callable[[dict[str, list[Any]]], None]) -> None:
    """`change` edits the columns in place; types stay."""
    table = pq.read_table(path)
    columns = table.to_pydict()
    change(columns)
    pq.write_table(pa.table(columns, schema=table.schema), path)


def write_cameras(folder: Path, *names: str, size: int = 64) -> list[str]:
    """Flags with matrices of these cameras for pictures of size x size."""
    numbers = {"fx": size, "fy": size, "cx": size / 2, "cy": size / 2}
    (folder / "k.json").write_text(json.dumps(dict.fromkeys(names, numbers)))
    (folder / "pose.json").write_text(json.dumps(dict.fromkeys(names, POSE)))
    return ["--intrinsics", str(folder / "k.json"), "--world-from-cam", str(folder / "pose.json")]


def lines(path: Path) -> list[str]:
    """What `gwm dataset check` says of it."""
    return [str(finding) for finding in check_path(path, lambda _: None).findings]


def run_import(kind: str, source: Path, out: Path, *flags: str) -> int:
    return main(["dataset", "import", "--format", kind, str(source), str(out), *flags])


def refusal(capsys: pytest.CaptureFixture[str], kind: str, source: Path, out: Path, *flags: str) -> str:
    """The one line of an import that fails."""
    capsys.readouterr()
    assert run_import(kind, source, out, *flags) == 1
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("gwm dataset: error: ")][
        -1
    ]
