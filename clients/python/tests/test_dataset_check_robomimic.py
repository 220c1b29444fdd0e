"""gwm dataset check: defects of robomimic files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from dataset_files import (
    edit_hdf5,
    lines,
    replace_array,
    write_robomimic,
)


def attribute(where: str, name: str, value: Any) -> Callable[[Any], None]:
    return lambda file: file[where].attrs.__setitem__(name, value)


def array(name: str, values: Any) -> Callable[[Any], None]:
    return lambda file: replace_array(file["data/demo_0"], name, values)


def entry(intrinsics: Any, extrinsics: Any) -> str:
    return json.dumps({"agentview": {"intrinsics": intrinsics, "extrinsics": extrinsics}})


EYE = np.eye(4).tolist()
K = [[8, 0, 4], [0, 8, 3], [0, 0, 1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (attribute("data", "total", 8), "data.attrs['total'] is 8; allowed: 9, the sum of all demos"),
        (attribute("data", "env_args", "{}"), "data.attrs['env_args'] is without env_name"),
        (attribute("data", "env_args", "{"), "data.attrs['env_args'] is not JSON"),
        (attribute("data/demo_1", "num_samples", 9), "episode demo_1: attrs['num_samples'] is 9; allowed: 4"),
        (
            lambda file: replace_array(file, "mask/train", [b"demo_7"]),
            "mask/train is 'demo_7'; allowed: names of",
        ),
        (
            lambda file: file["data/demo_0"].pop("actions"),
            "episode demo_0: actions is missing; allowed: numbers",
        ),
        (array("actions", np.zeros(5)), "actions is of shape [5]; allowed: [T, A] with T above 0"),
        (array("rewards", np.zeros(4)), "episode demo_0: rewards is 4 rows; allowed: 5, as actions"),
        (array("rewards", [0, np.nan, 0, 0, 0]), "episode demo_0, frame 1: rewards is nan; allowed: finite"),
        (array("dones", [0, 0, 3, 0, 1]), "episode demo_0, frame 2: dones is 3; allowed: 0 or 1"),
        (
            array("obs/robot0_eef_pos", np.full((5, 3), np.inf)),
            "frame 0: obs/robot0_eef_pos[0] is inf; allowed:",
        ),
        (
            array("next_obs/agentview_image", np.zeros((5, 6, 8, 3))),
            "next_obs/agentview_image is float64 [5, 6,",
        ),
        (attribute("data/demo_0", "camera_info", "{"), "attrs['camera_info'] is not JSON"),
        (
            attribute("data/demo_0", "camera_info", entry(K, K)),
            "is of shapes (3, 3) and (3, 3); allowed: (3, 3) and",
        ),
        (
            attribute("data/demo_0", "camera_info", entry(np.diag([8, 8, 1]).tolist(), EYE)),
            "camera_info['agentview'] intrinsics cx is 0; allowed: between 0 and the width 8",
        ),
        (
            attribute("data/demo_0", "camera_info", entry(K, np.diag([1, 1, -1, 1]).tolist())),
            "camera_info['agentview'] extrinsics rotation is a reflection (determinant -1); allowed:",
        ),
    ],
)
def test_values_of_robomimic(tmp_path: Path, change: Callable[[Any], None], message: str) -> None:
    source = write_robomimic(tmp_path / "image.hdf5")
    edit_hdf5(source, change)
    (line,) = lines(source)
    assert line.startswith(f"{source}: ")
    assert message in line


def test_files_of_robomimic_that_are_none_or_damaged(tmp_path: Path) -> None:
    (tmp_path / "x.hdf5").write_text("no HDF5")
    assert "file is unreadable" in lines(tmp_path / "x.hdf5")[0]
    source = write_robomimic(tmp_path / "image.hdf5")
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)

    def add_checksum(file: h5py.File) -> None:
        del file["data/demo_0/obs/agentview_image"]
        file["data/demo_0/obs"].create_dataset(
            "agentview_image", data=images, chunks=images.shape, fletcher32=True
        )

    edit_hdf5(source, add_checksum)
    assert lines(source) == []
    payload = source.read_bytes()
    at = payload.index(images.tobytes()[:64])
    source.write_bytes(payload[:at] + b"\0" + payload[at + 1 :])
    (line,) = lines(source)
    assert "episode demo_0: demo is unreadable" in line
    assert "allowed: intact HDF5" in line
