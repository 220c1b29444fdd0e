"""Turns a Source into a folder of episode files: resumable, and the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gwm.dataset.convert import Conversion, to_episode
from gwm.dataset.finding import DatasetError, Place
from gwm.dataset.lerobot import LeRobotSource
from gwm.dataset.recording import Array, EpisodeName, Request, Source
from gwm.dataset.robomimic import RobomimicSource
from gwm.episode import find_episodes, write_atomically, write_episode
from gwm.progress import Progress

SOURCES: dict[str, Callable[[Path], Source]] = {"lerobot": LeRobotSource, "robomimic": RobomimicSource}
MANIFEST, CHECKSUMS = "import.json", "SHA256SUMS"


@dataclass(frozen=True)
class Summary:
    """What one run did. dropped_rewards: episodes whose last action had a reward and was dropped."""

    written: int
    kept: int
    dropped_rewards: int


def open_source(name: str, path: Path) -> Source:
    """`name`: a key of SOURCES. Raises DatasetError, ImportError when a library is missing."""
    if not path.exists():
        raise Place(str(path)).error("source", "missing", "a folder (lerobot) or a file (robomimic)")
    return SOURCES[name](path)


def select(episodes: Sequence[EpisodeName], span: slice, source: str) -> list[EpisodeName]:
    """The episodes at these places of the source's order. Raises DatasetError when there are none."""
    chosen = list(episodes)[span]
    if not chosen:
        asked = f"{span.start or 0}:{'' if span.stop is None else span.stop}"
        raise Place(source).error("--episodes", asked, f"a part of 0:{len(episodes)}")
    return chosen


def action_range(source: Source, request: Request, path: Path) -> tuple[Array, Array]:
    """Smallest and largest action of the whole data set, f32 [A] each; the selection has no part in it."""
    actions = source.actions(request)
    found = Place(str(path)).finite("action", actions)
    if found:
        raise DatasetError(found[0])
    return actions.min(axis=0), actions.max(axis=0)


def episode_path(out: Path, episode: EpisodeName, task: str, kind: str) -> Path:
    return out / slug(task or episode.task) / f"{kind}_{episode.index:06d}.safetensors.zst"


def slug(text: str) -> str:
    """ "Push the block." -> "push-the-block"."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80] or "task"


def run_import(
    source: Source,
    chosen: Sequence[EpisodeName],
    out: Path,
    request: Request,
    how: Conversion,
    *,
    task: str = "",
    kind: str = "demonstration",
    options: dict[str, str] | None = None,
) -> Summary:
    """Writes OUT/TASK/KIND_EPISODE.safetensors.zst, SHA256SUMS and import.json; files that are there stay.

    `options`: what else determines the files; a folder that was imported with others is refused.
    """
    origin = {"source": source.label, "fingerprint": source.fingerprint, **(options or {})}
    refuse_others(out, origin)
    missing = [episode for episode in chosen if not episode_path(out, episode, task, kind).exists()]
    dropped = 0
    try:
        with Progress(sum(episode.frames for episode in missing), "import", unit="frames") as progress:
            for done, episode in enumerate(missing, start=1):
                metadata = describe(source, episode, task, kind)
                made = to_episode(source.read(episode.index, request), how, metadata)
                claim(out, origin)
                write_episode(episode_path(out, episode, task, kind), made)
                dropped += "dropped_reward" in made.metadata
                progress.advance(episode.frames, note=f"{done}/{len(missing)} episodes")
    finally:
        if (out / MANIFEST).exists():  # Of what is there, also when it is interrupted.
            write_checksums(out)
    return Summary(len(missing), len(chosen) - len(missing), dropped)


def describe(source: Source, episode: EpisodeName, task: str, kind: str) -> dict[str, str]:
    metadata = {
        "task": task or episode.task,
        "kind": kind,
        "source": source.label,
        "source_episode": episode.name,
    }
    if source.control_dt_s is not None:
        metadata["control_dt"] = f"{source.control_dt_s:g}"
    return metadata


def refuse_others(out: Path, options: dict[str, str]) -> None:
    """Raises DatasetError when the files in `out` come from something else."""
    path = out / MANIFEST
    if path.exists():
        place = Place(str(path))
        try:
            known = json.loads(path.read_text())
        except ValueError as error:
            raise place.error(
                "file", f"not JSON ({error})", "what an import wrote; or take another OUT"
            ) from error
        for key in sorted({*known, *options}):
            if known.get(key) != options.get(key):
                allowed = f"{known.get(key)!r}, as before; or take another OUT"
                raise place.error(key, repr(options.get(key)), allowed)
        return
    if find_episodes(out):
        raise Place(str(out)).error(
            "OUT", "a folder with other episodes", "an empty folder, or one of this import"
        )


def claim(out: Path, options: dict[str, str]) -> None:
    """Notes in `out` what its files come from; once there is one, so that a failed try binds nobody."""
    if not (out / MANIFEST).exists():
        write_atomically(out / MANIFEST, (json.dumps(options, indent=2, sort_keys=True) + "\n").encode())


def write_checksums(out: Path) -> None:
    """SHA256SUMS, as `sha256sum --check` reads it."""
    lines = [f"{sha256(path)}  {path.relative_to(out).as_posix()}\n" for path in find_episodes(out)]
    write_atomically(out / CHECKSUMS, "".join(lines).encode())


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def parse_span(text: str) -> slice:
    """ "3:7", ":7", "3:" or "3". Raises ValueError."""
    begin, colon, end = text.partition(":")
    try:
        first = int(begin) if begin else 0
        last = (int(end) if end else None) if colon else first + 1
    except ValueError:
        first, last = -1, None
    if first < 0 or (last is not None and last <= first) or text in ("", ":"):
        raise ValueError(f"--episodes is {text!r}; allowed: A:B with 0 <= A < B, A:, :B or A")
    return slice(first, last)


def read_size(text: str) -> tuple[int, int]:
    """ "64x48" -> (64, 48), width first. Raises ValueError."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(np.array(size) > 0):
        raise ValueError(f"--size is {text!r}; allowed: WIDTHxHEIGHT in pixels, such as 64x64")
    return size
