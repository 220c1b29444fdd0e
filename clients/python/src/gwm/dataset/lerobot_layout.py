"""The files of a LeRobot data set, v2.1 and v3.0: which rows and which seconds of which video are an episode.

Source: lerobot 0.4.4, docs/source/lerobot-dataset-v3.mdx and src/lerobot/datasets/utils.py; v2.1 is the
layout that its src/lerobot/datasets/v30/convert_dataset_v21_to_v30.py reads. In v3.0 each camera has file
indices and time spans of its own.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gwm.dataset.extras import require
from gwm.dataset.finding import DatasetError, Place

VERSIONS = ("v2.1", "v3.0")
DEFAULT_CHUNK_FILES = 1000


@dataclass(frozen=True)
class VideoSpan:
    """Where the frames of one episode and one camera lie. `end_s` None: to the end of the file."""

    path: Path
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True)
class EpisodeFiles:
    """One episode. `rows`: first and one past the last global index, None where the version tells none."""

    index: int
    tasks: tuple[str, ...]
    length: int
    data: Path
    videos: dict[str, VideoSpan]
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Layout:
    """A data set. `features`: as in meta/info.json; `tasks`: task_index -> sentence."""

    root: Path
    version: str
    fps: float
    features: dict[str, dict[str, Any]]
    episodes: list[EpisodeFiles]
    tasks: dict[int, str]
    info: dict[str, Any]
    fingerprint: str
    stats: dict[str, dict[str, Any]] = field(default_factory=dict)

    def colour_keys(self) -> list[str]:
        """The cameras; pictures of one channel are depths or masks, some videos are depths by name."""
        return [
            key
            for key, entry in self.features.items()
            if entry.get("dtype") in ("video", "image")
            and 3 in (entry.get("shape") or [3])
            and not (entry.get("info") or {}).get("video.is_depth_map")
        ]

    def video_keys(self) -> list[str]:
        return [key for key, entry in self.features.items() if entry.get("dtype") == "video"]


def read_layout(root: Path) -> Layout:
    """Raises DatasetError for another version, and for what is missing or malformed below meta/."""
    path = root / "meta" / "info.json"
    info = _read_json(path)
    place = Place(str(path))
    version, fps, features = info.get("codebase_version"), info.get("fps"), info.get("features")
    if version not in VERSIONS:
        raise place.error("codebase_version", repr(version), " or ".join(VERSIONS))
    if not isinstance(fps, int | float) or not fps > 0:
        raise place.error("fps", repr(fps), "frames per second, above 0")
    if not isinstance(features, dict) or "action" not in features:
        raise place.error("features", _keys(features), "an object that has 'action'")
    stats = root / "meta" / "stats.json"
    read = _read_v3 if version == "v3.0" else _read_v21
    try:
        episodes, tasks = read(root, info, [k for k, e in features.items() if e.get("dtype") == "video"])
    except (KeyError, IndexError, TypeError, AttributeError, StopIteration) as error:
        raise Place(str(root / "meta")).error(
            "layout", f"malformed ({error!r})", f"that of {version}"
        ) from error
    return Layout(
        root,
        version,
        float(fps),
        features,
        sorted(episodes, key=lambda episode: episode.index),
        tasks,
        info,
        hashlib.sha256(path.read_bytes()).hexdigest(),
        _read_json(stats) if stats.exists() else {},
    )


def _read_v3(
    root: Path, info: dict[str, Any], videos: list[str]
) -> tuple[list[EpisodeFiles], dict[int, str]]:
    folder = root / "meta" / "episodes"
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise Place(str(folder)).error("files", "none", "chunk-NNN/file-NNN.parquet")
    wanted = ["episode_index", "tasks", "length", "dataset_from_index", "dataset_to_index"]
    wanted += ["data/chunk_index", "data/file_index"]
    for key in videos:
        wanted += [
            f"videos/{key}/{part}" for part in ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
        ]
    rows = [row for path in files for row in read_table(path, wanted).to_pylist()]
    return [_v3_episode(root, info, row, videos) for row in rows], _v3_tasks(root)


def _v3_episode(root: Path, info: dict[str, Any], row: dict[str, Any], videos: list[str]) -> EpisodeFiles:
    spans = {}
    for key in videos:
        of_video = {part: row[f"videos/{key}/{part}"] for part in ("chunk_index", "file_index")}
        path = root / info["video_path"].format(video_key=key, **of_video)
        spans[key] = VideoSpan(path, row[f"videos/{key}/from_timestamp"], row[f"videos/{key}/to_timestamp"])
    of_data = {part: row[f"data/{part}"] for part in ("chunk_index", "file_index")}
    return EpisodeFiles(
        row["episode_index"],
        tuple(row["tasks"]),
        row["length"],
        root / info["data_path"].format(**of_data),
        spans,
        (row["dataset_from_index"], row["dataset_to_index"]),
    )


def _v3_tasks(root: Path) -> dict[int, str]:
    path = root / "meta" / "tasks.parquet"
    rows = read_table(path, None).to_pylist()
    # Written by pandas with the sentence as the index, whose column has a name in some versions only.
    names = ("task", "__index_level_0__")
    return {row["task_index"]: next(row[name] for name in names if name in row) for row in rows}


def _read_v21(
    root: Path, info: dict[str, Any], videos: list[str]
) -> tuple[list[EpisodeFiles], dict[int, str]]:
    episodes = []
    for row in _read_json_lines(root / "meta" / "episodes.jsonl"):
        index = row["episode_index"]
        where = {
            "episode_chunk": index // info.get("chunks_size", DEFAULT_CHUNK_FILES),
            "episode_index": index,
        }
        spans = {key: VideoSpan(root / info["video_path"].format(video_key=key, **where)) for key in videos}
        data = root / info["data_path"].format(**where)
        episodes.append(EpisodeFiles(index, tuple(row["tasks"]), row["length"], data, spans))
    tasks = {row["task_index"]: row["task"] for row in _read_json_lines(root / "meta" / "tasks.jsonl")}
    return episodes, tasks


def read_table(path: Path, columns: list[str] | None, filters: Any = None) -> Any:
    """A pyarrow.Table. Raises DatasetError when the file or a column is missing or damaged."""
    parquet, arrow = require("pyarrow.parquet"), require("pyarrow")
    place = Place(str(path))
    try:
        present = parquet.read_schema(path).names
        missing = [name for name in columns or [] if name not in present]
        if missing:
            raise place.error("columns", f"without {missing[0]!r}", f"{', '.join(present)} and {missing[0]}")
        return parquet.read_table(path, columns=columns, filters=filters, partitioning=None)
    except FileNotFoundError as error:
        raise place.error("file", "missing", "a Parquet file") from error
    except (arrow.ArrowException, OSError) as error:
        if isinstance(error, DatasetError):
            raise
        raise place.error("file", f"unreadable ({error})", "a Parquet file") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise Place(str(path)).error("file", "missing", "a JSON object") from error
    except ValueError as error:
        raise Place(str(path)).error("file", f"not JSON ({error})", "a JSON object") from error
    if not isinstance(value, dict):
        raise Place(str(path)).error("file", type(value).__name__, "a JSON object")
    return value


def _read_json_lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise Place(str(path)).error("file", "missing", "one JSON object per line") from error
    except ValueError as error:
        raise Place(str(path)).error("file", f"not JSON ({error})", "one JSON object per line") from error


def _keys(value: object) -> str:
    return ", ".join(value) if isinstance(value, dict) else type(value).__name__
