"""Frames of a video by their presentation times, through PyAV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gwm.dataset.extras import require
from gwm.dataset.finding import DatasetError, Finding, Place
from gwm.dataset.resize import Size, resize_frame

Array = npt.NDArray[Any]


def frame_times(path: Path) -> Array:
    """Presentation times of all frames, f64 [n] seconds, sorted; reads the container without decoding.

    Raises DatasetError when it is no video.
    """
    av = require("av")
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            times = [
                float(packet.pts * stream.time_base) for packet in container.demux(stream) if packet.size
            ]
    except (av.error.FFmpegError, IndexError, TypeError) as error:
        raise _unreadable(path, error) from error
    return np.sort(np.array(times, np.float64))


def time_findings(
    place: Place, field: str, times: Array, start_s: float, count: int, fps: float, tolerance_s: float
) -> list[Finding]:
    """At most one finding: a frame k < count with no picture within `tolerance_s` of start_s + k / fps."""
    wanted = start_s + np.arange(count) / fps
    if len(times) == 0:
        return [place.finding(field, "a video without frames", f"{count} frames from {start_s:g} s on")]
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    left, right = times[after - 1], times[np.minimum(after, len(times) - 1)]
    nearest = np.where(wanted - left < right - wanted, left, right)
    bad = np.abs(nearest - wanted) > tolerance_s
    if not bad.any():
        return []
    k = int(np.argmax(bad))
    allowed = f"a frame at {wanted[k]:.6f} s +- {tolerance_s:g} s"
    return [place.finding(field, f"nearest at {nearest[k]:.6f} s", allowed, k, int(bad.sum()) - 1)]


def read_frames(
    place: Place,
    path: Path,
    field: str,
    start_s: float,
    count: int,
    fps: float,
    tolerance_s: float,
    size: Size = None,
) -> tuple[Array, tuple[int, int]]:
    """u8 [count, H, W, 3], frames at start_s + k / fps shrunk one by one to `size`; the full (width, height).

    Raises DatasetError when a frame is missing.
    """
    if not 0 < tolerance_s < 0.5 / fps:
        raise place.error(
            "--tolerance-s", f"{tolerance_s:g}", f"above 0, below half a frame, {0.5 / fps:g} s"
        )
    av = require("av")
    frames: list[Array] = []
    full_size = (0, 0)
    times: list[float] = []
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            first_s = start_s - 0.5 / fps  # Half a frame of room for the rounding of time stamps.
            container.seek(int(max(first_s, 0) / stream.time_base), stream=stream)  # To the key frame before.
            for frame in container.decode(stream):
                if frame.time is None or frame.time < first_s:
                    continue
                if len(frames) == count:
                    break
                frames.append(resize_frame(frame.to_ndarray(format="rgb24"), size))
                full_size = (frame.width, frame.height)
                times.append(float(frame.time))
    except (av.error.FFmpegError, IndexError) as error:
        raise _unreadable(path, error) from error
    found = time_findings(place, field, np.array(times), start_s, count, fps, tolerance_s)
    if found:
        raise DatasetError(found[0])
    return np.stack(frames), full_size


def _unreadable(path: Path, error: Exception) -> DatasetError:
    return Place(str(path)).error("file", f"unreadable ({error})", "a video that FFmpeg can decode")
