"""Finds out what a path holds and checks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gwm.dataset.check_episodes import check_folder
from gwm.dataset.check_lerobot import check_lerobot
from gwm.dataset.check_robomimic import check_robomimic
from gwm.dataset.finding import DatasetError, Finding, Place
from gwm.dataset.lerobot_layout import read_layout
from gwm.dataset.robomimic import demo_names, open_file
from gwm.episode import find_episodes

_HDF5 = (".hdf5", ".h5")
DEFAULT_TOLERANCE_S = 1e-4


@dataclass
class Report:
    """Of one path. `format`: "gwm", "lerobot", "robomimic", or "" when it is none of them."""

    path: str
    format: str
    episodes: int = 0
    frames: int = 0
    findings: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "format": self.format,
            "episodes": self.episodes,
            "frames": self.frames,
            "errors": [finding.as_json() for finding in self.findings],
        }


def detect(path: Path) -> str:
    """The format of what is at `path`, or ""."""
    if path.is_dir() and (path / "meta" / "info.json").is_file():
        return "lerobot"
    if path.is_file() and path.suffix in _HDF5:
        return "robomimic"
    named = path.name.endswith((".safetensors", ".safetensors.zst"))
    if (path.is_file() and named) or (path.is_dir() and find_episodes(path)):
        return "gwm"
    return ""


def count_episodes(path: Path) -> int:
    """How many there are to check, for a progress bar; 0 when that cannot be told."""
    kind = detect(path)
    try:
        if kind == "lerobot":
            return len(read_layout(path).episodes)
        if kind == "robomimic":
            with open_file(path) as file:
                return len(demo_names(file))
    except DatasetError:
        return 0
    return len(find_episodes(path)) if kind else 0


def check_path(
    path: Path, advance: Callable[[int], None], tolerance_s: float = DEFAULT_TOLERANCE_S
) -> Report:
    """`advance` hears of each episode; `tolerance_s`: how far time stamps may be off."""
    report = Report(str(path), detect(path), count_episodes(path))
    if report.format == "lerobot":
        report.findings, report.frames = check_lerobot(path, advance, tolerance_s)
    elif report.format == "robomimic":
        report.findings, report.frames = check_robomimic(path, advance)
    elif report.format == "gwm":
        report.findings, report.frames = check_folder(path, advance)
    else:
        allowed = "a folder of episode files, a LeRobot folder (meta/info.json), or a robomimic file (.hdf5)"
        value = "nothing of that kind" if path.exists() else "missing"
        report.findings = [Place(str(path)).finding("path", value, allowed)]
    return report
