"""Checks LeRobot data sets, v2.1 and v3.0."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gwm.dataset.finding import DatasetError, Finding, Place
from gwm.dataset.lerobot_layout import EpisodeFiles, Layout, read_layout
from gwm.dataset.lerobot_rows import BOOKKEEPING, read_rows, row_findings
from gwm.dataset.video import frame_times, time_findings

Advance = Callable[[int], None]
_NUMBERS = ("float16", "float32", "float64")


def check_lerobot(root: Path, advance: Advance, tolerance_s: float) -> tuple[list[Finding], int]:
    """What is wrong in the data set at `root`, and how many frames its rows hold; `advance` per episode."""
    try:
        layout = read_layout(root)
    except DatasetError as error:
        return [error.finding], 0
    found = _total_findings(layout)
    frames = 0
    for episode in layout.episodes:
        advance(1)
        try:
            rows = read_rows(layout, episode, _number_names(layout))
        except DatasetError as error:
            found.append(error.finding)
            continue
        frames += len(rows["frame_index"])
        found += row_findings(layout, episode, rows, tolerance_s)
        found += _value_findings(layout, episode, rows)
    return found + _video_findings(layout, tolerance_s), frames


def _number_names(layout: Layout) -> list[str]:
    features = layout.features.items()
    return [key for key, entry in features if entry.get("dtype") in _NUMBERS and key not in BOOKKEEPING]


def _total_findings(layout: Layout) -> list[Finding]:
    place = Place(str(layout.root / "meta" / "info.json"))
    counted = {
        "total_episodes": (len(layout.episodes), "the episodes of meta/"),
        "total_frames": (sum(episode.length for episode in layout.episodes), "the sum of their lengths"),
        "total_tasks": (len(layout.tasks), "the tasks of meta/"),
    }
    found = [
        place.finding(key, layout.info.get(key), f"{count}, {what}")
        for key, (count, what) in counted.items()
        if layout.info.get(key) != count
    ]
    start = 0
    for position, episode in enumerate(layout.episodes):
        if episode.index != position:
            found.append(
                place.finding("episode_index", episode.index, f"{position}: 0, 1, 2, ... without gaps")
            )
            break
        if episode.rows is not None and episode.rows != (start, start + episode.length):
            where = Place(str(layout.root / "meta" / "episodes"), str(episode.index))
            allowed = f"{start}:{start + episode.length}, as the lengths add up"
            found.append(
                where.finding("dataset_from_index:dataset_to_index", "{}:{}".format(*episode.rows), allowed)
            )
        start += episode.length
    return found


def _value_findings(layout: Layout, episode: EpisodeFiles, rows: dict[str, Any]) -> list[Finding]:
    place = Place(str(episode.data), str(episode.index))
    found = []
    for name in _number_names(layout):
        values = rows[name]
        found += place.finite(name, values)
        shape = tuple(layout.features[name].get("shape") or ())
        if values.shape[1:] != shape and not (shape == (1,) and values.ndim == 1):
            found.append(
                place.finding(name, f"of shape {list(values.shape[1:])}", f"{list(shape)}, as info.json says")
            )
    return found + _range_findings(layout, place, rows["action"])


def _range_findings(layout: Layout, place: Place, action: Any) -> list[Finding]:
    """Against meta/stats.json, by which policies scale: actions outside mean that it is out of date."""
    stats = layout.stats.get("action", {})
    low, high = np.array(stats.get("min", -np.inf)), np.array(stats.get("max", np.inf))
    if low.shape not in ((), action.shape[1:]) or high.shape not in ((), action.shape[1:]):
        return [
            Place(str(layout.root / "meta/stats.json")).finding(
                "action.min, action.max", low.shape, "one per entry"
            )
        ]
    slack = 1e-4 * np.maximum(1, np.abs(action))
    outside = (action < low - slack) | (action > high + slack)
    return place.first_bad("action", action, outside, "the range of meta/stats.json")


def _video_findings(layout: Layout, tolerance_s: float) -> list[Finding]:
    """Every frame of every episode has its picture, and no video holds other ones."""
    found: list[Finding] = []
    for key in layout.video_keys():
        by_file: dict[Path, list[EpisodeFiles]] = {}
        for episode in layout.episodes:
            by_file.setdefault(episode.videos[key].path, []).append(episode)
        for path, episodes in by_file.items():
            try:
                times = frame_times(path)
            except DatasetError as error:
                found.append(error.finding)
                continue
            found += _one_video(layout, path, key, episodes, times, tolerance_s)
    return found


def _one_video(
    layout: Layout, path: Path, key: str, episodes: list[EpisodeFiles], times: Any, tolerance_s: float
) -> list[Finding]:
    found: list[Finding] = []
    for episode in episodes:
        span = episode.videos[key]
        place = Place(str(path), str(episode.index))
        found += time_findings(place, key, times, span.start_s, episode.length, layout.fps, tolerance_s)
        if span.end_s is None:
            continue
        length_s = episode.length / layout.fps
        if abs(span.end_s - span.start_s - length_s) > tolerance_s + 0.5 / layout.fps:
            value = f"{span.start_s:g} to {span.end_s:g} s"
            found.append(
                place.finding(f"{key} time span", value, f"{length_s:g} s long, {episode.length} frames")
            )
    expected = sum(episode.length for episode in episodes)
    if len(times) != expected and not found:
        found.append(
            Place(str(path)).finding(f"{key} frames", len(times), f"{expected}, as its episodes have")
        )
    return found
