"""LeRobot data sets as a Source."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gwm.dataset.extras import require
from gwm.dataset.finding import DatasetError, Place
from gwm.dataset.lerobot_layout import EpisodeFiles, read_layout
from gwm.dataset.lerobot_rows import image_column, read_rows, row_findings
from gwm.dataset.recording import Array, EpisodeName, Recording, Request, chosen_cameras, metres
from gwm.dataset.resize import resize_frame
from gwm.dataset.video import read_frames

_PREFIX = "observation.images."
REWARD, DONE, SUCCESS = "next.reward", "next.done", "next.success"


class LeRobotSource:
    """Cameras go by what follows `observation.images.` in their feature."""

    missing_hint = "LeRobot data sets store no camera matrices, and few store depth"

    def __init__(self, root: Path) -> None:
        self._layout = read_layout(root)
        self._by_index = {episode.index: episode for episode in self._layout.episodes}
        self._keys = {key.removeprefix(_PREFIX): key for key in self._layout.colour_keys()}
        self.label = f"lerobot {self._layout.version} {root.name}"
        self.fingerprint = self._layout.fingerprint
        self.control_dt_s: float | None = 1 / self._layout.fps
        self.cameras = tuple(self._keys)

    def episodes(self) -> Sequence[EpisodeName]:
        return [
            EpisodeName(episode.index, str(episode.index), " / ".join(episode.tasks), episode.length)
            for episode in self._layout.episodes
        ]

    def read(self, index: int, request: Request) -> Recording:
        episode = self._by_index[index]
        request_cameras = tuple(camera.removeprefix(_PREFIX) for camera in request.cameras)
        place = Place(str(episode.data), str(index))
        names = [self._feature("--action-key", request.action or "action")]
        default_state = ["observation.state"] if "observation.state" in self._layout.features else []
        states = [self._feature("--state-key", name) for name in request.state] or default_state
        told = [name for name in (REWARD, DONE, SUCCESS) if name in self._layout.features]
        rows = read_rows(self._layout, episode, [*names, *states, *told])
        found = row_findings(self._layout, episode, rows, request.tolerance_s)
        if found:
            raise DatasetError(found[0])
        asked = Request(request_cameras, request.depth)
        cameras = chosen_cameras(asked, self.cameras, self._layout.root / "meta" / "info.json")
        pictures = {camera: self._pictures(episode, self._keys[camera], request) for camera in cameras}
        depths = dict(zip(cameras, request.depth, strict=False))
        return Recording(
            place,
            rgb={camera: frames for camera, (frames, _) in pictures.items()},
            full_sizes={camera: size for camera, (_, size) in pictures.items()},
            action=_joined(rows, names),
            depth_m={
                camera: metres(self._depth(episode, feature), request.depth_unit_m)
                for camera, feature in depths.items()
            },
            reward=_column(rows, REWARD, np.float32),
            done=_column(rows, DONE, np.uint8),
            success=_column(rows, SUCCESS, np.uint8),
            state=_joined(rows, states) if states else None,
        )

    def actions(self, request: Request) -> Array:
        name = self._feature("--action-key", request.action or "action")
        parts = [read_rows(self._layout, episode, [name])[name] for episode in self._layout.episodes]
        return np.concatenate([part.reshape(len(part), -1) for part in parts]).astype(np.float32)

    def _feature(self, flag: str, name: str) -> str:
        if name not in self._layout.features:
            place = Place(str(self._layout.root / "meta" / "info.json"))
            raise place.error(flag, repr(name), ", ".join(self._layout.features))
        return name

    def _pictures(self, episode: EpisodeFiles, key: str, request: Request) -> tuple[Array, tuple[int, int]]:
        """The frames, shrunk to the asked size, and their full (width, height)."""
        if key in episode.videos:
            span = episode.videos[key]
            place = Place(str(span.path), str(episode.index))
            fps, tolerance_s = self._layout.fps, request.tolerance_s
            return read_frames(
                place, span.path, key, span.start_s, episode.length, fps, tolerance_s, request.size
            )
        frames, full_size = [], (0, 0)
        for data in image_column(self._layout, episode, key):
            frame = _decode(data, "RGB")
            full_size = (frame.shape[1], frame.shape[0])
            frames.append(resize_frame(frame, request.size))
        return np.stack(frames), full_size

    def _depth(self, episode: EpisodeFiles, name: str) -> Array:
        """[T, H, W] as stored."""
        kind = self._layout.features[self._feature("--depth", name)].get("dtype")
        place = Place(str(episode.data), str(episode.index))
        if kind == "video":
            raise place.error(
                "--depth", f"{name!r}, a video", "an image or array feature; videos lose precision"
            )
        if kind == "image":
            return np.stack([_decode(data, None) for data in image_column(self._layout, episode, name)])
        values = read_rows(self._layout, episode, [name])[name]
        if values.ndim == 4 and 1 in (values.shape[1], values.shape[3]):
            values = values.squeeze(3 if values.shape[3] == 1 else 1)
        if values.ndim != 3:
            raise place.error("--depth", f"{name!r} of shape {list(values.shape[1:])}", "[H, W] per frame")
        return values


def _decode(data: bytes, mode: str | None) -> Array:
    image: Any = require("PIL.Image").open(io.BytesIO(data))
    return np.asarray(image if mode is None else image.convert(mode))


def _joined(rows: dict[str, Array], names: list[str]) -> Array:
    """f32 [T, sum of sizes]."""
    return np.concatenate([rows[name].reshape(len(rows[name]), -1) for name in names], axis=1).astype(
        np.float32
    )


def _column(rows: dict[str, Array], name: str, dtype: Any) -> Array | None:
    return rows[name].reshape(-1).astype(dtype) if name in rows else None
