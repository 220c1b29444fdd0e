"""Checks robomimic HDF5 files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gwm.dataset.cameras import intrinsics_findings, pose_findings
from gwm.dataset.finding import DatasetError, Finding, Place
from gwm.dataset.robomimic import (
    camera_matrices,
    demo_names,
    environment_arguments,
    json_attribute,
    open_file,
)

Advance = Callable[[int], None]


def check_robomimic(path: Path, advance: Advance) -> tuple[list[Finding], int]:
    """What is wrong in the file, and how many actions it holds; `advance` per demo."""
    try:
        file = open_file(path)
    except DatasetError as error:
        return [error.finding], 0
    with file:
        found, frames = [], 0
        for name in demo_names(file):
            advance(1)
            try:
                count, bad = _demo_findings(Place(str(path), name), file["data"][name])
            except (DatasetError, OSError) as error:
                finding = getattr(error, "finding", None)
                found.append(
                    finding or Finding(str(path), "demo", f"unreadable ({error})", "intact HDF5", name)
                )
                continue
            found += bad
            frames += count
        return _file_findings(path, file, frames, bool(found)) + found, frames


def _file_findings(path: Path, file: Any, frames: int, damaged: bool) -> list[Finding]:
    place, found = Place(str(path)), []
    try:
        arguments = environment_arguments(file, path)
        if "env_name" not in arguments:
            found.append(
                place.finding("data.attrs['env_args']", "without env_name", "env_name, type, env_kwargs")
            )
    except DatasetError as error:
        found.append(error.finding)
    total = file["data"].attrs.get("total")
    if total is not None and int(total) != frames and not damaged:
        found.append(place.finding("data.attrs['total']", total, f"{frames}, the sum of all demos"))
    names = set(demo_names(file))
    for key in file.get("mask", ()):
        listed = [name.decode() if isinstance(name, bytes) else str(name) for name in file["mask"][key][()]]
        unknown = [name for name in listed if name not in names]
        if unknown:
            found.append(place.finding(f"mask/{key}", repr(unknown[0]), "names of groups in data"))
    return found


def _demo_findings(place: Place, demo: Any) -> tuple[int, list[Finding]]:
    if "actions" not in demo:
        return 0, [place.finding("actions", "missing", "numbers [T, A]")]
    actions = np.asarray(demo["actions"][()])
    if actions.ndim != 2 or len(actions) == 0:
        return 0, [place.finding("actions", f"of shape {list(actions.shape)}", "[T, A] with T above 0")]
    count = len(actions)
    found = place.finite("actions", actions)
    found += place.first_bad("actions", actions, np.abs(actions) > 1, "-1 to 1, as robomimic asks")
    announced = demo.attrs.get("num_samples")
    if announced is not None and int(announced) != count:
        found.append(place.finding("attrs['num_samples']", announced, f"{count}, as actions"))
    for name in ("rewards", "dones", "states"):
        found += _array_findings(place, demo, name, count) if name in demo else []
    for group in ("obs", "next_obs"):
        for key in demo.get(group, ()):
            found += _array_findings(place, demo, f"{group}/{key}", count)
    return count, found + _camera_findings(place, demo)


def _array_findings(place: Place, demo: Any, name: str, count: int) -> list[Finding]:
    entry = demo[name]
    if len(entry) != count:
        return [place.finding(name, f"{len(entry)} rows", f"{count}, as actions")]
    if name.endswith("_image"):
        shaped = entry.dtype == np.uint8 and entry.ndim == 4 and entry.shape[3] == 3
        shape = f"{entry.dtype} {list(entry.shape)}"
        if not shaped:
            return [place.finding(name, shape, "uint8 [T, H, W, 3]")]
        entry[()]  # A damaged chunk raises here.
        return []
    values = np.asarray(entry[()])
    if name == "dones":
        return place.first_bad(name, values, (values != 0) & (values != 1), "0 or 1")
    return place.finite(name, values) if np.issubdtype(values.dtype, np.floating) else []


def _camera_findings(place: Place, demo: Any) -> list[Finding]:
    if "camera_info" not in demo.attrs:
        return []
    info = json_attribute(place, "attrs['camera_info']", demo.attrs["camera_info"])
    found: list[Finding] = []
    for camera, entry in info.items():
        intrinsics, pose = camera_matrices(place, camera, entry)
        image = demo.get(f"obs/{camera}_image")
        if image is not None and image.ndim == 4:
            height, width = image.shape[1:3]
            found += intrinsics_findings(
                place, f"camera_info[{camera!r}] intrinsics", intrinsics, width, height
            )
        found += pose_findings(place, f"camera_info[{camera!r}] extrinsics", pose)
    return found
