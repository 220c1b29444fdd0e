"""Makes tests/data/two_view: short episodes seen from two cameras that stand 5 cm apart.

Run from the repository root: PYTHONPATH=clients/python/src python tests/data/collect_two_view.py
"""

from __future__ import annotations

from pathlib import Path

from gwm.dataset import DEFAULT_TASKS, record_episode
from gwm.envs.metaworld import MetaWorldConfig, MetaWorldEnv, ViewOffset
from gwm.episode import write_episode
from gwm.policies import make_policy

BASELINE_M = 0.05
STEPS = 10
FIRST_SEED = 20_000
# Along the main camera's axes (x right, y down, z forward).
DIRECTIONS = {"right": (1, 0, 0), "left": (-1, 0, 0), "down": (0, 1, 0), "up": (0, -1, 0)}


def main() -> None:
    out = Path(__file__).parent / "two_view"
    for task in DEFAULT_TASKS:
        for index, (name, direction) in enumerate(DIRECTIONS.items()):
            seed = FIRST_SEED + index
            x, y, z = (BASELINE_M * component for component in direction)
            env = MetaWorldEnv(MetaWorldConfig(task, extra_views=(ViewOffset((x, y, z)),)))
            episode = record_episode(env, make_policy("noisy", task, seed), "noisy", seed, STEPS)
            env.close()
            path = out / task / f"{name}.safetensors.zst"
            write_episode(path, episode)
            print(f"{path}: {len(episode)} pairs, {path.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
