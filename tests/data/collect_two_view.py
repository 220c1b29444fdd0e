"""Makes tests/data/two_view and tests/data/novel_view: episodes seen from two cameras that stand 5 cm apart.

Run from the repository root: PYTHONPATH=clients/python/src python tests/data/collect_two_view.py
Files that exist are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gwm.dataset import DEFAULT_TASKS, record_episode
from gwm.envs.metaworld import MetaWorldConfig, MetaWorldEnv, ViewOffset
from gwm.episode import write_episode
from gwm.policies import make_policy

BASELINE_M = 0.05
# Along the main camera's axes (x right, y down, z forward).
DIRECTIONS = {"right": (1, 0, 0), "left": (-1, 0, 0), "down": (0, 1, 0), "up": (0, -1, 0)}
SHORT_TASKS = ("button-press-topdown-wall-v3", "plate-slide-v3", "hammer-v3")


@dataclass(frozen=True)
class Planned:
    """One file."""

    path: Path
    task: str
    kind: str
    direction: str
    seed: int
    steps: int


def plan(folder: Path) -> Iterator[Planned]:
    """Short episodes in every direction for the front-end, longer ones for rollouts of the model."""
    for task in SHORT_TASKS:
        for index, name in enumerate(DIRECTIONS):
            path = folder / "two_view" / task / f"{name}.safetensors.zst"
            yield Planned(path, task, "noisy", name, 20_000 + index, 10)
    for task in DEFAULT_TASKS:
        for index, name in enumerate(("right", "up")):
            path = folder / "novel_view" / task / f"{name}.safetensors.zst"
            yield Planned(path, task, "noisy", name, 21_000 + index, 30)


def main() -> None:
    for planned in plan(Path(__file__).parent):
        if planned.path.exists():
            continue
        x, y, z = (BASELINE_M * component for component in DIRECTIONS[planned.direction])
        env = MetaWorldEnv(MetaWorldConfig(planned.task, extra_views=(ViewOffset((x, y, z)),)))
        policy = make_policy(planned.kind, planned.task, planned.seed)
        episode = record_episode(env, policy, planned.kind, planned.seed, planned.steps)
        env.close()
        write_episode(planned.path, episode)
        print(f"{planned.path}: {len(episode)} pairs, {planned.path.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
