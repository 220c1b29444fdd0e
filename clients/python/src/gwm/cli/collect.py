"""gwm collect: episodes of any address into files."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gwm.cli.target import add_target, connect, positive
from gwm.collect import episode_path, recorded_observations, to_episode
from gwm.episode import write_episode
from gwm.policies import NOISE_STD, make_policy, policy_kind
from gwm.progress import Progress
from gwm.rollout import RolloutPlan, default_steps, rollouts
from gwm.types import Spec


def add_policy(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--policy",
        default=default,
        help="scripted, noisy, random, mixture, or MODULE:FACTORY of your own (%(default)s)",
    )
    parser.add_argument(
        "--noise-std", type=float, default=NOISE_STD, metavar="STD", help="of the noisy policy (%(default)g)"
    )
    parser.add_argument("--task", help="which scripted expert (default: the server's only task)")
    parser.add_argument("--episodes", type=positive, default=10, help="(%(default)s)")
    parser.add_argument(
        "--steps", type=positive, help="per episode (default: the server's horizon, else 100)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first episode; the next ones follow (%(default)s)"
    )
    parser.add_argument("--parallel", type=positive, default=1, help="episodes at a time (%(default)s)")


def task_of(args: argparse.Namespace, spec: Spec) -> str:
    """The task whose expert plays and whose name the files get."""
    if args.task:
        return str(args.task)
    if len(spec.tasks) == 1:
        return spec.tasks[0]
    raise ValueError(
        f"{spec.model_id} knows {len(spec.tasks)} tasks ({', '.join(spec.tasks)}); choose one with --task"
    )


def policy_factory(args: argparse.Namespace, spec: Spec, task: str) -> Any:
    return partial(
        make_policy,
        args.policy,
        task,
        action_size=int(np.prod(spec.action.shape)),
        low=spec.action.min,
        high=spec.action.max,
        noise_std=args.noise_std,
    )


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "collect",
        help="drive a server with a policy and write episode files",
        description="Drive a server (a real environment or a learned world) with a policy and write episode "
        "files DIR/TASK/KIND_SEED.safetensors.zst. Files that are there already are kept.",
        epilog="examples: gwm collect --env metaworld:hammer-v3 --policy noisy --episodes 20 --out data | "
        "gwm collect --address localhost:50051 --policy random --task hammer-v3 --out imagined",
    )
    add_target(parser)
    add_policy(parser, "scripted")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the files go")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with connect(args, args.parallel) as client:
        spec = client.spec()
        task, kind = task_of(args, spec), policy_kind(args.policy).replace(":", ".")
        seeds = range(args.seed, args.seed + args.episodes)
        missing = [seed for seed in seeds if not episode_path(args.out, task, kind, seed).exists()]
        if len(missing) < len(seeds):
            print(f"{len(seeds) - len(missing)} of {len(seeds)} episodes are there already")
        steps = args.steps or default_steps(spec)
        plan = RolloutPlan(
            missing,
            steps,
            int(np.prod(spec.action.shape)),
            policy_factory(args, spec, task),
            recorded_observations(spec),
            args.parallel,
        )
        wins = 0
        with Progress(steps * len(missing), f"collect {task} {kind}") as progress:
            for done, trajectory in enumerate(rollouts(client, plan, progress.advance), start=1):
                path = episode_path(args.out, task, kind, trajectory.seed)
                write_episode(path, to_episode(trajectory, spec, task, kind))
                wins += trajectory.succeeded
                progress.advance(0, note=f"{done}/{len(missing)} episodes, {wins} with success")
    print(f"{len(missing)} episodes written to {args.out / task}")
    return 0
