"""robomimic HDF5 files as a Source.

Layout: robomimic's docs/datasets/overview.md and robomimic/scripts/dataset_states_to_obs.py: groups
data/demo_N with actions [T, A], rewards [T], dones [T] (both of the state after the action), obs/* and
optionally next_obs/* [T, ...]; attribute env_args of `data`; some writers add the attribute camera_info of a
demo: intrinsics and camera poses as JSON, the latter in the world's frame except for cameras in the hand.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gwm.dataset.extras import require
from gwm.dataset.finding import Place
from gwm.dataset.recording import Array, EpisodeName, Recording, Request, chosen_cameras, metres

_IMAGE, _DEPTH = "_image", "_depth"
# Poses of these are told in the hand's frame, which moves.
_IN_HAND = "eye_in_hand"
_STATES = ("robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos", "object")


def open_file(path: Path) -> Any:
    """The h5py.File. Raises DatasetError when it is none, or has no demos."""
    h5py = require("h5py")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise Place(str(path)).error("file", f"unreadable ({error})", "a robomimic HDF5 file") from error
    if not isinstance(file.get("data"), h5py.Group) or not demo_names(file):
        file.close()
        raise Place(str(path)).error("groups", "no data/demo_N", "one group data/demo_N per episode")
    return file


def demo_names(file: Any) -> list[str]:
    """demo_2 before demo_10."""
    names = [name for name in file["data"] if re.fullmatch(r"demo_\d+", name)]
    return sorted(names, key=demo_index)


def demo_index(name: str) -> int:
    return int(name.removeprefix("demo_"))


def environment_arguments(file: Any, path: Path) -> dict[str, Any]:
    """The attribute env_args, {} where there is none. Raises DatasetError when it is no JSON object."""
    text = file["data"].attrs.get("env_args")
    return {} if text is None else json_attribute(Place(str(path)), "data.attrs['env_args']", text)


def json_attribute(place: Place, field: str, text: Any) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (TypeError, ValueError) as error:
        raise place.error(field, f"not JSON ({error})", "a JSON object") from error
    if not isinstance(value, dict):
        raise place.error(field, type(value).__name__, "a JSON object")
    return value


class RobomimicSource:
    """Cameras go by their image's name without `_image`."""

    missing_hint = (
        "this file has no depth (obs/CAMERA_depth) or no matrices (attribute camera_info) for them; poses of "
        "cameras in the hand do not count, an episode file's cameras stand still"
    )

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open_file(path)
        self._names = {demo_index(name): name for name in demo_names(self._file)}
        arguments = environment_arguments(self._file, path)
        self._task = str(arguments.get("env_name", path.stem))
        settings = arguments.get("env_kwargs") or {}
        frequency = settings.get("control_freq")
        self.control_dt_s = 1 / frequency if frequency else None
        self._sparse = settings.get("reward_shaping") is False
        self.label = f"robomimic {path.name}"
        counts = [f"{name} {self._length(name)}" for name in self._names.values()]
        self.fingerprint = hashlib.sha256("\n".join([*counts, json.dumps(arguments)]).encode()).hexdigest()
        first = next(iter(self._names.values()))
        self.cameras = tuple(
            key.removesuffix(_IMAGE)
            for key in self._file["data"][first].get("obs", ())
            if key.endswith(_IMAGE)
        )

    def episodes(self) -> Sequence[EpisodeName]:
        return [EpisodeName(i, name, self._task, self._length(name)) for i, name in self._names.items()]

    def read(self, index: int, request: Request) -> Recording:
        name = self._names[index]
        demo, place = self._file["data"][name], Place(str(self._path), name)
        cameras = chosen_cameras(request, self.cameras, self._path)
        action = self._array(place, demo, request.action or "actions").astype(np.float32)
        depths = dict(zip(cameras, request.depth, strict=False)) or {
            camera: f"{camera}{_DEPTH}" for camera in cameras if f"obs/{camera}{_DEPTH}" in demo
        }
        reward = self._array(place, demo, "rewards").astype(np.float32) if "rewards" in demo else None
        matrices = self._matrices(place, demo, cameras)
        return Recording(
            place,
            rgb={camera: self._observed(place, demo, f"{camera}{_IMAGE}") for camera in cameras},
            action=action.reshape(len(action), -1),
            depth_m={
                camera: metres(_plane(self._observed(place, demo, key)), request.depth_unit_m)
                for camera, key in depths.items()
            },
            intrinsics={camera: pair[0] for camera, pair in matrices.items()},
            world_from_cam={c: pose for c, (_, pose) in matrices.items() if _IN_HAND not in c},
            reward=reward,
            done=self._array(place, demo, "dones").astype(np.uint8) if "dones" in demo else None,
            # A sparse reward is 1 in the states that count as success.
            success=(reward > 0).astype(np.uint8) if self._sparse and reward is not None else None,
            state=self._state(place, demo, request),
        )

    def actions(self, request: Request) -> Array:
        parts = []
        for name in self._names.values():
            place = Place(str(self._path), name)
            parts.append(self._array(place, self._file["data"][name], request.action or "actions"))
        return np.concatenate(parts).astype(np.float32)

    def _length(self, name: str) -> int:
        actions = self._file["data"][name].get("actions")
        return 0 if actions is None else len(actions)

    def _array(self, place: Place, demo: Any, key: str) -> Array:
        if key not in demo:
            raise place.error(key, "missing", f"one of {', '.join(demo)}")
        try:
            return np.asarray(demo[key][()])
        except OSError as error:
            raise place.error(key, f"unreadable ({error})", "an intact HDF5 data set") from error

    def _observed(self, place: Place, demo: Any, key: str) -> Array:
        """obs/key, and after it the last row of next_obs/key where that is there: [T or T + 1, ...]."""
        values = self._array(place, demo, f"obs/{key}")
        if f"next_obs/{key}" not in demo:
            return values
        last = self._array(place, demo, f"next_obs/{key}")[-1:]
        if last.shape[1:] != values.shape[1:]:
            shapes = f"of rows {list(last.shape[1:])}"
            raise place.error(f"next_obs/{key}", shapes, f"{list(values.shape[1:])}, as obs/{key}")
        return np.concatenate([values, last])

    def _state(self, place: Place, demo: Any, request: Request) -> Array | None:
        keys = request.state or tuple(key for key in _STATES if f"obs/{key}" in demo)
        if not keys:
            return None
        parts = [self._observed(place, demo, key) for key in keys]
        return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1).astype(np.float32)

    def _matrices(self, place: Place, demo: Any, cameras: Sequence[str]) -> dict[str, tuple[Array, Array]]:
        if "camera_info" not in demo.attrs:
            return {}
        info = json_attribute(place, "attrs['camera_info']", demo.attrs["camera_info"])
        return {camera: camera_matrices(place, camera, info[camera]) for camera in cameras if camera in info}


def camera_matrices(place: Place, camera: str, entry: Any) -> tuple[Array, Array]:
    """Intrinsics [3, 3] and world_from_cam [4, 4] of an entry of camera_info."""
    try:
        pair = np.array(entry["intrinsics"], np.float64), np.array(entry["extrinsics"], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise place.error(
            f"camera_info[{camera!r}]", repr(entry)[:60], "numbers 'intrinsics' and 'extrinsics'"
        ) from error
    if pair[0].shape != (3, 3) or pair[1].shape != (4, 4):
        shapes = f"of shapes {pair[0].shape} and {pair[1].shape}"
        raise place.error(f"camera_info[{camera!r}]", shapes, "(3, 3) and (4, 4)")
    return pair


def _plane(depth: Array) -> Array:
    return depth[..., 0] if depth.ndim == 4 and depth.shape[-1] == 1 else depth
