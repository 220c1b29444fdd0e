"""One episode as its source stores it, before it becomes an episode file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from gwm.dataset.finding import Place

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class EpisodeName:
    """One episode of a source. `name`: as the source calls it; `frames`: how many it announces."""

    index: int
    name: str
    task: str
    frames: int


@dataclass(frozen=True)
class Request:
    """What to read of an episode. Empty names: the source's own defaults."""

    cameras: tuple[str, ...] = ()
    depth: tuple[str, ...] = ()  # one per camera, in their order; empty: what the source has beside them
    depth_unit_m: float | None = None  # metres per stored unit; None: 0.001 for integers, 1 for floats
    action: str = ""
    state: tuple[str, ...] = ()
    tolerance_s: float = 1e-4
    # (width, height) to which long videos are shrunk while they are read; None: as they are.
    size: tuple[int, int] | None = None


@dataclass
class Recording:
    """T actions and N = T or T + 1 frames: frame t is what action t saw, frame N - 1 may be the last result.

    Reward, done and success of index t tell of the result of action t; None where the source has none.
    """

    place: Place
    rgb: dict[str, Array]  # camera -> u8 [N, H, W, 3]
    action: Array  # f32 [T, A]
    depth_m: dict[str, Array] = field(default_factory=dict)  # camera -> f32 [N, H, W], z-depth; 0 = nothing
    intrinsics: dict[str, Array] = field(default_factory=dict)  # camera -> f64 [3, 3]
    world_from_cam: dict[str, Array] = field(default_factory=dict)  # camera -> f64 [4, 4], OpenCV axes
    reward: Array | None = None  # f32 [T]
    done: Array | None = None  # u8 [T]
    success: Array | None = None  # u8 [T]
    state: Array | None = None  # f32 [N, S]
    # camera -> (width, height) that its matrices and depth are about, where `rgb` was shrunk already
    full_sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def full_size(self, camera: str) -> tuple[int, int]:
        height, width = self.rgb[camera].shape[1:3]
        return self.full_sizes.get(camera, (width, height))


class Source(Protocol):
    """A foreign data set that is open for reading."""

    label: str  # format and version, for the metadata of what is imported
    fingerprint: str  # differs between data sets
    control_dt_s: float | None
    cameras: tuple[str, ...]
    missing_hint: str  # why this format may lack depth and camera matrices

    def episodes(self) -> Sequence[EpisodeName]: ...

    def read(self, index: int, request: Request) -> Recording: ...

    def actions(self, request: Request) -> Array:
        """All actions of the data set, f32 [sum of T, A]."""
        ...


def metres(depth: Array, unit_m: float | None) -> Array:
    """f32 metres of stored depths; `unit_m` as in Request."""
    default = 0.001 if np.issubdtype(depth.dtype, np.integer) else 1.0
    return (depth * np.float32(default if unit_m is None else unit_m)).astype(np.float32)


def chosen_cameras(request: Request, available: Sequence[str], file: Path) -> tuple[str, ...]:
    """The asked cameras, or all. Raises DatasetError for one that is not there or when there are none."""
    place = Place(str(file))
    if not available:
        raise place.error("cameras", "none", "at least one image feature")
    for camera in request.cameras:
        if camera not in available:
            raise place.error("--camera", repr(camera), ", ".join(available))
    chosen = request.cameras or tuple(available)
    if request.depth and len(request.depth) != len(chosen):
        raise place.error("--depth", f"given {len(request.depth)} times", f"once per camera ({len(chosen)})")
    return chosen
