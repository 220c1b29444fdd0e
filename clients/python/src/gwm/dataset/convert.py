"""From a Recording to an episode file's rows.

Sources store (frame t, action t taken there, reward and done of its result); an episode file stores (frame t,
action, reward and done that led to it), so all but the frames move on by one row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gwm.dataset.cameras import intrinsics_findings, pose_findings
from gwm.dataset.finding import DatasetError, Finding, Place
from gwm.dataset.recording import Array, Recording
from gwm.dataset.resize import resize_depth, resize_rgb, scale_intrinsics
from gwm.episode import MAX_DEPTH_MM, Episode

DROP, REPEAT = "drop", "repeat-frame"


@dataclass(frozen=True)
class Conversion:
    """How to make up for what a source lacks, and what to change.

    size: (width, height) of the pictures, None for the source's. last_action: of an action whose result was
    not recorded, "drop" it or "repeat-frame". action_range: (low, high) f32 [A], mapped to -1 and 1; None
    keeps actions, which then must lie in [-1, 1]. rgb_only: depth 0 and placeholder matrices where there are
    none. missing_hint: as in Source.
    """

    intrinsics: dict[str, Array] = field(default_factory=dict)
    world_from_cam: dict[str, Array] = field(default_factory=dict)
    depth_constant_m: float | None = None
    rgb_only: bool = False
    size: tuple[int, int] | None = None
    last_action: str = DROP
    action_range: tuple[Array, Array] | None = None
    missing_hint: str = ""


def to_episode(recording: Recording, how: Conversion, metadata: dict[str, str]) -> Episode:
    """The episode, its metadata with what was made up or lost. Raises DatasetError."""
    _check_shapes(recording)
    placeholders = _fill(recording, how)
    frames, actions = len(next(iter(recording.rgb.values()))), len(recording.action)
    repeat = frames == actions and how.last_action == REPEAT
    rows = frames + repeat
    if rows < 2:
        raise recording.place.error("frames", rows, "at least 2: one to start from and one result")
    pick = np.minimum(np.arange(rows), frames - 1)
    metadata = {**metadata, **_notes(recording, how, placeholders, rows)}
    cameras = list(recording.rgb)
    columns = _moved_on(recording, how, rows)
    intrinsics, poses = zip(*(_matrices(recording, camera, how) for camera in cameras), strict=True)
    pictures = [resize_rgb(recording.rgb[camera], how.size)[pick] for camera in cameras]
    if len({picture.shape for picture in pictures}) > 1:
        sizes = ", ".join(f"{c} {p.shape[2]}x{p.shape[1]}" for c, p in zip(cameras, pictures, strict=True))
        raise recording.place.error("image sizes", sizes, "one size for all cameras; give --size WxH")
    depths = [_to_mm(recording.place, c, resize_depth(recording.depth_m[c], how.size)[pick]) for c in cameras]
    return Episode(
        rgb=np.stack(pictures, axis=1),
        depth_mm=np.stack(depths, axis=1),
        intrinsics=np.stack(intrinsics).astype(np.float32),
        world_from_cam=np.stack(poses).astype(np.float32),
        state=None if recording.state is None else recording.state[pick],
        metadata={**metadata, "camera": ",".join(cameras)},
        **columns,
    )


def _check_shapes(recording: Recording) -> None:
    place, actions = recording.place, len(recording.action)
    for camera, rgb in recording.rgb.items():
        if rgb.dtype != np.uint8 or rgb.ndim != 4 or rgb.shape[3] != 3:
            raise place.error(f"image {camera}", f"{rgb.dtype} {list(rgb.shape)}", "uint8 [T, H, W, 3]")
        if len(rgb) not in (actions, actions + 1):
            raise place.error(
                f"image {camera}", f"{len(rgb)} frames", f"{actions} or {actions + 1}, as actions"
            )
        depth = recording.depth_m.get(camera)
        width, height = recording.full_size(camera)
        if depth is not None and depth.shape != (len(rgb), height, width):
            allowed = f"{[len(rgb), height, width]}, as its image"
            raise place.error(f"depth {camera}", f"shape {list(depth.shape)}", allowed)
    frames = {name: len(rgb) for name, rgb in recording.rgb.items()}
    if len(set(frames.values())) > 1:
        raise place.error("images", f"of different lengths {frames}", "one length")
    for name in ("reward", "done", "success"):
        value = getattr(recording, name)
        if value is not None and len(value) != actions:
            raise place.error(name, f"{len(value)} rows", f"{actions}, as actions")
    if recording.state is not None and len(recording.state) != next(iter(frames.values())):
        raise place.error(
            "state", f"{len(recording.state)} rows", f"{next(iter(frames.values()))}, as images"
        )
    found: list[Finding] = []
    for name in ("action", "reward", "state"):
        value = getattr(recording, name)
        found += place.finite(name, value) if value is not None else []
    if found:
        raise DatasetError(found[0])


# What an episode needs of each camera -> the flag that supplies it.
_FLAGS = {
    "depth_mm": "--depth FEATURE per camera, or --depth-constant METRES",
    "intrinsics": '--intrinsics FILE: {{"{camera}": {{"fx":, "fy":, "cx":, "cy":}}}} at {width}x{height}',
    "world_from_cam": '--world-from-cam FILE: {{"{camera}": 4x4 numbers}}, OpenCV axes',
}


def _fill(recording: Recording, how: Conversion) -> list[str]:
    """Puts depth and matrices from flags into `recording`; the names of what --rgb-only made up."""
    known = {
        "depth_mm": recording.depth_m,
        "intrinsics": recording.intrinsics,
        "world_from_cam": recording.world_from_cam,
    }
    missing: dict[str, list[str]] = {}
    for camera, rgb in recording.rgb.items():
        if camera not in recording.depth_m and how.depth_constant_m is not None:
            width, height = recording.full_size(camera)
            recording.depth_m[camera] = np.broadcast_to(
                np.float32(how.depth_constant_m), (len(rgb), height, width)
            )
        for name, given in (("intrinsics", how.intrinsics), ("world_from_cam", how.world_from_cam)):
            if camera in given:
                known[name][camera] = given[camera]
        for name, values in known.items():
            if camera not in values:
                missing.setdefault(name, []).append(camera)
                values[camera] = _stand_in(name, len(rgb), *recording.full_size(camera))
    if missing and not how.rgb_only:
        raise _missing_error(recording, missing, how.missing_hint)
    return sorted(missing)


def _stand_in(name: str, frames: int, width: int, height: int) -> Array:
    """Depth that says nothing was hit, a camera of 53 degrees at the world's origin."""
    if name == "depth_mm":
        return np.broadcast_to(np.float32(0), (frames, height, width))
    if name == "intrinsics":
        return np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1]], np.float64)
    return np.eye(4)


def _missing_error(recording: Recording, missing: dict[str, list[str]], hint: str) -> DatasetError:
    parts = []
    for name, cameras in missing.items():
        width, height = recording.full_size(cameras[0])
        flag = _FLAGS[name].format(camera=cameras[0], width=width, height=height)
        parts.append(f"{name} of {', '.join(cameras)} ({flag})")
    allowed = f"RGB-D with camera matrices, or --rgb-only for policies that see RGB alone ({hint})"
    return recording.place.error("source", "without " + "; ".join(parts), allowed)


def _matrices(recording: Recording, camera: str, how: Conversion) -> tuple[Array, Array]:
    width, height = recording.full_size(camera)
    intrinsics, pose = recording.intrinsics[camera], recording.world_from_cam[camera]
    found = intrinsics_findings(recording.place, f"intrinsics of {camera}", intrinsics, width, height)
    found += pose_findings(recording.place, f"world_from_cam of {camera}", pose)
    if found:
        raise DatasetError(found[0])
    return scale_intrinsics(intrinsics, (width, height), how.size), pose


def _moved_on(recording: Recording, how: Conversion, rows: int) -> dict[str, Array]:
    action = _normalised(recording.place, recording.action, how.action_range)
    kept = rows - 1
    columns = {
        "action": np.concatenate([np.zeros((1, action.shape[1]), np.float32), action[:kept]]),
        "reward": _row_zero_first(recording.reward, rows, np.float32),
        "terminated": _row_zero_first(recording.done, rows, np.uint8),
        "success": _row_zero_first(recording.success, rows, np.uint8),
    }
    # The end of a demonstration is told with its last action; when that is dropped, the last row keeps it.
    for name, value in (("terminated", recording.done), ("success", recording.success)):
        if value is not None:
            columns[name][-1] |= value[kept:].any()
            columns[name] = (columns[name] != 0).astype(np.uint8)
    return columns


def _row_zero_first(values: Array | None, rows: int, dtype: Any) -> Array:
    out = np.zeros(rows, dtype)
    if values is not None:
        out[1:] = values[: rows - 1]
    return out


def _normalised(place: Place, action: Array, action_range: tuple[Array, Array] | None) -> Array:
    if action_range is not None:
        low, high = action_range
        # An entry that never changes maps to 0.
        span = np.where(high > low, high - low, 1)
        return np.where(high > low, np.clip(2 * (action - low) / span - 1, -1, 1), 0).astype(np.float32)
    found = place.first_bad(
        "action", action, np.abs(action) > 1, "-1 to 1; give --actions minmax to scale them"
    )
    if found:
        raise DatasetError(found[0])
    return action


def _notes(recording: Recording, how: Conversion, placeholders: list[str], rows: int) -> dict[str, str]:
    notes = {"placeholder": ",".join(placeholders)} if placeholders else {}
    if how.depth_constant_m is not None:
        notes["depth_constant_m"] = f"{how.depth_constant_m:g}"
    if how.action_range is not None:
        notes["action_low"], notes["action_high"] = (
            json.dumps([float(x) for x in bound]) for bound in how.action_range
        )
    lost = 0.0 if recording.reward is None else float(recording.reward[rows - 1 :].sum())
    return notes | ({"dropped_reward": f"{lost:g}"} if lost else {})


def _to_mm(place: Place, camera: str, depth_m: Array) -> Array:
    bad = ~np.isfinite(depth_m) | (depth_m < 0)
    found = place.first_bad(f"depth {camera}", depth_m, bad, "finite metres from 0 on; see --depth-unit-m")
    if found:
        raise DatasetError(found[0])
    mm = np.round(depth_m * 1000)
    # Beyond what 16 bits hold nothing was hit, as the renderers of this package say.
    return np.where(mm > MAX_DEPTH_MM, 0, mm).astype(np.uint16)
