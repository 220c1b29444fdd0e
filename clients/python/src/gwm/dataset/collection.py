"""Collects a balanced set of Meta-World episodes: `python -m gwm.dataset --out data/collected`.

Resumable (files that exist are skipped) and shardable over processes. The order goes round-robin over tasks
and kinds, so that whatever is there when it is stopped is balanced.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gwm.envs.metaworld import ACTION_SIZE, SOURCE, MetaWorldConfig, MetaWorldEnv, depth_to_mm
from gwm.episode import Episode, write_episode
from gwm.policies import KINDS, Policy, make_policy

# The six on which visual model-based policy optimisation was measured (iVideoGPT, GWM).
DEFAULT_TASKS = (
    "button-press-topdown-wall-v3",
    "plate-slide-v3",
    "hammer-v3",
    "coffee-push-v3",
    "door-lock-v3",
    "handle-pull-side-v3",
)
DEFAULT_COUNTS = {"expert": 24, "noisy": 24, "random": 16, "mixture": 12}
DEFAULT_FIRST_SEED = 10_000
# Seeds of two kinds lie this far apart, so that they start from different placements.
SEED_STRIDE = 1_000


@dataclass(frozen=True)
class PlannedEpisode:
    """One file that is to be collected."""

    task: str
    kind: str
    seed: int

    def path(self, out: Path) -> Path:
        return out / self.task / f"{self.kind}_{self.seed}.safetensors.zst"


def plan_episodes(tasks: Iterable[str], counts: dict[str, int], first_seed: int) -> list[PlannedEpisode]:
    """Every prefix holds the kinds in proportion to `counts` and the tasks evenly (to within one)."""
    for kind, count in counts.items():
        if count > SEED_STRIDE:
            raise ValueError(
                f"{count} episodes of kind {kind!r}; at most {SEED_STRIDE} have seeds of their own"
            )
    slots = sorted(
        ((index + 0.5) / count, KINDS.index(kind), index)
        for kind, count in counts.items()
        for index in range(count)
    )
    return [
        PlannedEpisode(task, KINDS[kind], first_seed + kind * SEED_STRIDE + index)
        for _, kind, index in slots
        for task in tasks
    ]


def record_episode(env: MetaWorldEnv, policy: Policy, kind: str, seed: int, steps: int) -> Episode:
    """Runs one episode of `steps` agent steps (steps + 1 rows)."""
    states = [env.reset(seed)]
    frames = [env.render()]
    actions = [np.zeros(ACTION_SIZE, np.float32)]
    rewards, terminated, success = [0.0], [False], [False]
    for _ in range(steps):
        action = policy.act({"state": states[-1]})
        transition = env.step(action)
        states.append(transition.state)
        frames.append(env.render())
        actions.append(action)
        rewards.append(transition.reward)
        terminated.append(transition.terminated)
        success.append(transition.success)
    return Episode(
        rgb=np.stack([frame.rgb for frame in frames]),
        depth_mm=np.stack([depth_to_mm(frame.depth_m) for frame in frames]),
        intrinsics=env.intrinsics(),
        world_from_cam=env.world_from_cam(),
        action=np.stack(actions),
        reward=np.array(rewards, np.float32),
        terminated=np.array(terminated, np.uint8),
        success=np.array(success, np.uint8),
        state=np.stack(states).astype(np.float32),
        metadata=episode_metadata(env, kind, seed),
    )


def episode_metadata(env: MetaWorldEnv, kind: str, seed: int) -> dict[str, str]:
    return {
        "task": env.config.task,
        "kind": kind,
        "camera": env.config.camera,
        "control_dt": f"{env.control_dt_s:g}",
        "action_repeat": str(env.config.action_repeat),
        "seed": str(seed),
        "source": SOURCE,
    }


def _collect(planned: list[PlannedEpisode], out: Path, steps: int) -> None:
    missing = [episode for episode in planned if not episode.path(out).exists()]
    print(
        f"{len(planned)} episodes planned, {len(planned) - len(missing)} there, {len(missing)} to do",
        flush=True,
    )
    env: MetaWorldEnv | None = None
    start_s = time.monotonic()
    for done, episode in enumerate(missing, start=1):
        if env is None or env.config.task != episode.task:
            # One renderer per process: the simulator of another task takes its place.
            if env is not None:
                env.close()
            env = MetaWorldEnv(MetaWorldConfig(episode.task, horizon=steps))
        policy = make_policy(episode.kind, episode.task, episode.seed)
        recorded = record_episode(env, policy, episode.kind, episode.seed, steps)
        write_episode(episode.path(out), recorded)
        elapsed_s = time.monotonic() - start_s
        frames_per_second = done * (steps + 1) / elapsed_s
        eta_min = elapsed_s / done * (len(missing) - done) / 60
        print(
            f"[{done}/{len(missing)}] {episode.task} {episode.kind} {episode.seed}: return "
            f"{recorded.total_reward:.0f}, success {int(recorded.success.any())}, "
            f"{frames_per_second:.1f} frames/s, ETA {eta_min:.1f} min",
            flush=True,
        )
    if env is not None:
        env.close()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m gwm.dataset",
        description="Collect a balanced, reproducible set of Meta-World RGB-D episodes.",
        epilog="example: python -m gwm.dataset --out data/collected --expert 52 --random 32 --shard 0/2",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for <task>/<kind>_<seed>.safetensors.zst"
    )
    parser.add_argument("--tasks", nargs="+", default=list(DEFAULT_TASKS), help="Meta-World tasks")
    for kind in KINDS:
        parser.add_argument(
            f"--{kind}",
            type=int,
            default=DEFAULT_COUNTS[kind],
            help=f"{kind} episodes per task (%(default)s)",
        )
    parser.add_argument("--steps", type=int, default=100, help="agent steps per episode (%(default)s)")
    parser.add_argument("--first-seed", type=int, default=DEFAULT_FIRST_SEED, help="(%(default)s)")
    parser.add_argument("--shard", default="0/1", help="I/N: collect every N-th episode from the I-th on")
    args = parser.parse_args(argv)
    try:
        shard, shards = (int(part) for part in args.shard.split("/"))
        if not 0 <= shard < shards:
            raise ValueError
    except ValueError:
        parser.error(f"--shard is {args.shard!r}; expected I/N with 0 <= I < N")
    counts = {kind: getattr(args, kind) for kind in KINDS if getattr(args, kind) > 0}
    planned = plan_episodes(args.tasks, counts, args.first_seed)
    _collect(planned[shard::shards], args.out, args.steps)
    return 0
