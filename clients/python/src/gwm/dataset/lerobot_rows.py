"""The Parquet rows of one LeRobot episode and what must hold for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gwm.dataset.extras import require
from gwm.dataset.finding import Finding, Place
from gwm.dataset.lerobot_layout import EpisodeFiles, Layout, read_table

Array = npt.NDArray[Any]

BOOKKEEPING = ("timestamp", "frame_index", "episode_index", "index", "task_index")


def read_rows(layout: Layout, episode: EpisodeFiles, names: list[str]) -> dict[str, Array]:
    """The columns of the episode's rows, [T, ...]. Raises DatasetError for ragged or missing ones."""
    keep = [("episode_index", "=", episode.index)]
    table = read_table(episode.data, list(dict.fromkeys([*BOOKKEEPING, *names])), keep)
    place = Place(str(episode.data), str(episode.index))
    return {name: _to_array(place, name, table.column(name)) for name in table.column_names}


def _to_array(place: Place, name: str, column: Any) -> Array:
    """Lists of lists of one shape as one array [T, ...]."""
    arrow = require("pyarrow")
    values, shape = column.combine_chunks(), [len(column)]
    while True:
        per_frame = int(np.prod(shape[1:], dtype=int))
        if values.null_count:
            first = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
            raise place.error(name, "null", "numbers", first // per_frame)
        if not arrow.types.is_nested(values.type):
            break
        lengths = require("pyarrow.compute").list_value_length(values).to_numpy(zero_copy_only=False)
        other = lengths != (lengths[0] if len(lengths) else 0)
        if other.any():
            frame = int(np.argmax(other)) // per_frame
            value = f"of length {lengths[other][0]}"
            raise place.error(name, value, f"{lengths[0]}, as in the first frame", frame)
        shape.append(int(lengths[0]) if len(lengths) else 0)
        values = values.flatten()
    return values.to_numpy(zero_copy_only=False).reshape(shape)


def image_column(layout: Layout, episode: EpisodeFiles, name: str) -> list[bytes]:
    """The encoded pictures of an image feature; raises DatasetError for rows that have none inside."""
    keep = [("episode_index", "=", episode.index)]
    values = read_table(episode.data, [name, "episode_index"], keep).column(name).to_pylist()
    place = Place(str(episode.data), str(episode.index))
    pictures = [value.get("bytes") if isinstance(value, dict) else None for value in values]
    for t, picture in enumerate(pictures):
        if not picture:
            raise place.error(name, "no encoded image", "an object with the bytes of a PNG or JPEG", t)
    return [bytes(picture) for picture in pictures if picture]


def row_findings(
    layout: Layout, episode: EpisodeFiles, rows: dict[str, Array], tolerance_s: float
) -> list[Finding]:
    """Count, order and time stamps of the rows."""
    place = Place(str(episode.data), str(episode.index))
    count = len(rows["frame_index"])
    if count == 0:
        return [place.finding("rows", 0, "at least 1")]
    if count != episode.length:
        return [place.finding("rows", count, f"{episode.length}, the length that meta/ tells")]
    order = np.arange(count)
    found = place.first_bad(
        "frame_index", rows["frame_index"], rows["frame_index"] != order, "0, 1, 2, ... in order"
    )
    wanted_s = order / layout.fps
    # Time stamps are f32: what that rounds is no defect.
    late = np.abs(rows["timestamp"] - wanted_s) > tolerance_s + np.spacing(wanted_s.astype(np.float32))
    allowed = f"frame_index / {layout.fps:g} s +- {tolerance_s:g} s"
    found += place.first_bad("timestamp", rows["timestamp"], late | np.isnan(rows["timestamp"]), allowed)
    first = episode.rows[0] if episode.rows else (rows["index"][0] if count else 0)
    found += place.first_bad(
        "index", rows["index"], rows["index"] != first + order, f"{first}, {first + 1}, ..."
    )
    unknown = ~np.isin(rows["task_index"], list(layout.tasks))
    return found + place.first_bad(
        "task_index", rows["task_index"], unknown, f"one of {sorted(layout.tasks)}"
    )
