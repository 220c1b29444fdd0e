"""Checks folders of gwm episode files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from gwm.dataset.cameras import intrinsics_findings, pose_findings
from gwm.dataset.finding import Finding, Place
from gwm.dataset.importer import CHECKSUMS, sha256
from gwm.episode import Episode, EpisodeError, find_episodes, read_episode

Advance = Callable[[int], None]
# Room for the rounding of f32 arithmetic.
ACTION_SLACK = 1e-6


def check_folder(root: Path, advance: Advance) -> tuple[list[Finding], int]:
    """What is wrong below `root`, and how many frames were read; `advance` hears of each file."""
    found, frames = [], 0
    first: tuple[Path, tuple[int, ...]] | None = None
    for path in find_episodes(root):
        advance(1)
        try:
            episode = read_episode(path)
        except EpisodeError as error:
            found.append(
                Finding(str(path), "file", str(error).removeprefix(f"{path}: "), "a valid episode file")
            )
            continue
        frames += len(episode)
        found += episode_findings(path, episode)
        shape = (*episode.rgb.shape[1:4], episode.action.shape[1])
        first = first or (path, shape)
        if shape != first[1]:
            value = "views {}, height {}, width {}, action size {}".format(*shape)
            allowed = "views {}, height {}, width {}, action size {}".format(*first[1]) + f", as {first[0]}"
            found.append(Finding(str(path), "shape", value, allowed))
    return found + checksum_findings(root), frames


def episode_findings(path: Path, episode: Episode) -> list[Finding]:
    place = Place(str(path))
    found: list[Finding] = []
    if len(episode) < 2:
        found.append(place.finding("frames", len(episode), "at least 2"))
    for name in ("action", "reward", "state"):
        value = getattr(episode, name)
        found += place.finite(name, value) if value is not None else []
    beyond = np.abs(episode.action) > 1 + ACTION_SLACK
    found += place.first_bad("action", episode.action, beyond, "-1 to 1")
    if episode.action[0].any():
        found.append(
            place.finding("action", episode.action[0].tolist(), "0: nothing led to the first frame", 0)
        )
    for name in ("terminated", "success"):
        value = getattr(episode, name)
        found += place.first_bad(name, value, value > 1, "0 or 1")
    return found + _camera_findings(place, episode) + _control_dt_findings(place, episode)


def _camera_findings(place: Place, episode: Episode) -> list[Finding]:
    found: list[Finding] = []
    _, views, height, width, _ = episode.rgb.shape
    for view in range(views):
        found += intrinsics_findings(place, f"intrinsics[{view}]", episode.intrinsics[view], width, height)
        found += pose_findings(place, f"world_from_cam[{view}]", episode.world_from_cam[view])
        if not episode.depth_mm[:, view].any() and "depth_mm" not in episode.metadata.get("placeholder", ""):
            allowed = "a surface somewhere, or the metadata placeholder=depth_mm"
            found.append(place.finding(f"depth_mm[:, {view}]", "0 everywhere", allowed))
    return found


def _control_dt_findings(place: Place, episode: Episode) -> list[Finding]:
    text = episode.metadata.get("control_dt")
    try:
        valid = text is None or 0 < float(text) < float("inf")
    except ValueError:
        valid = False
    return [] if valid else [place.finding("metadata control_dt", repr(text), "seconds per step, above 0")]


def checksum_findings(root: Path) -> list[Finding]:
    """What SHA256SUMS of the folder says otherwise; nothing where there is none."""
    listing = root / CHECKSUMS
    if not listing.is_file():
        return []
    place, found, listed = Place(str(listing)), [], set()
    for number, line in enumerate(listing.read_text().splitlines(), start=1):
        digest, _, name = line.partition("  ")
        path = root / name
        listed.add(path)
        if not name:
            found.append(place.finding(f"line {number}", repr(line), "SHA256, two blanks, path"))
        elif not path.is_file():
            found.append(place.finding(name, "missing", "a file, as it is listed"))
        elif (actual := sha256(path)) != digest:
            found.append(Finding(str(path), "sha256", actual, f"{digest}, as {listing} says"))
    found += [
        Finding(str(path), "sha256", "not listed", f"a line in {listing}")
        for path in find_episodes(root)
        if path not in listed
    ]
    return found
