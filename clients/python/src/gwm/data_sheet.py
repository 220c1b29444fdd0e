"""The data sheet of a folder of episodes: `python -m gwm.data_sheet data/gwm-small`.

One Markdown row per task and kind: how many episodes, what they returned, how often they succeeded, and how
much of the picture changes, which is what a model has to predict.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from gwm.episode import Episode, EpisodeError, read_episode
from gwm.policies import KINDS
from gwm.progress import Progress

# A pixel has changed when any colour differs by more than this; the evaluation of the model says the same.
CHANGED_THRESHOLD = 10
HORIZONS = (1, 5, 10)


@dataclass
class Row:
    """Sums over the episodes of one task and kind."""

    returns: list[float] = field(default_factory=list)
    successes: int = 0
    frames: int = 0
    changed: dict[int, list[float]] = field(default_factory=lambda: {h: [] for h in HORIZONS})

    def add(self, episode: Episode) -> None:
        self.returns.append(episode.total_reward)
        self.successes += int(episode.success.any())
        self.frames += len(episode)
        for horizon, shares in self.changed.items():
            if len(episode) > horizon:
                shares.append(changed_share(episode, horizon))


def changed_share(episode: Episode, horizon: int) -> float:
    """Mean share of the pixels that differ between frames t and t + horizon; 0 < horizon < len(episode)."""
    rgb = episode.rgb.astype(np.int16)
    difference = np.abs(rgb[horizon:] - rgb[:-horizon]).max(axis=-1)
    return float((difference > CHANGED_THRESHOLD).mean())


def summarise(episodes: Iterable[Episode]) -> dict[tuple[str, str], Row]:
    rows: dict[tuple[str, str], Row] = {}
    for episode in episodes:
        rows.setdefault((episode.task, episode.kind), Row()).add(episode)
    return rows


def _kind_order(kind: str) -> tuple[int, str]:
    return (KINDS.index(kind) if kind in KINDS else len(KINDS), kind)


def to_markdown(rows: dict[tuple[str, str], Row]) -> str:
    changed = " | ".join(f"changed pixels, h={horizon}" for horizon in HORIZONS)
    lines = [
        f"| task | kind | episodes | frames | return, mean (range) | success | {changed} |",
        "| --- " * (6 + len(HORIZONS)) + "|",
    ]
    for (task, kind), row in sorted(rows.items(), key=lambda item: (item[0][0], _kind_order(item[0][1]))):
        returns = np.array(row.returns)
        shares = " | ".join(
            f"{100 * np.mean(row.changed[h]):.1f} %" if row.changed[h] else "" for h in HORIZONS
        )
        lines.append(
            f"| {task} | {kind} | {len(returns)} | {row.frames} | {returns.mean():.0f} "
            f"({returns.min():.0f} to {returns.max():.0f}) | {row.successes}/{len(returns)} | {shares} |"
        )
    episodes = sum(len(row.returns) for row in rows.values())
    lines.append(
        f"| all | | {episodes} | {sum(row.frames for row in rows.values())} |" + " |" * (2 + len(HORIZONS))
    )
    return "\n".join(lines) + "\n"


def _read(paths: Sequence[Path]) -> Iterable[Episode]:
    with Progress(len(paths), "reading episodes", unit="episodes") as progress:
        for path in paths:
            yield read_episode(path)
            progress.advance()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m gwm.data_sheet",
        description="Print the data sheet of a folder of episode files as Markdown.",
        epilog="example: python -m gwm.data_sheet data/gwm-small --out data_sheet.md",
    )
    parser.add_argument("folder", type=Path, help="episode files, in any tree")
    parser.add_argument("--out", type=Path, help="write the table there instead of printing it")
    options = parser.parse_args(argv)
    paths = sorted(path for path in options.folder.rglob("*.safetensors*") if path.is_file())
    if not paths:
        parser.error(f"no episode files (*.safetensors, *.safetensors.zst) below {options.folder}")
    try:
        table = to_markdown(summarise(_read(paths)))
    except EpisodeError as error:
        print(f"data_sheet: {error}", file=sys.stderr)
        return 1
    if options.out is None:
        print(table, end="")
    else:
        options.out.write_text(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
