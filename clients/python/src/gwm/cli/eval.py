"""gwm eval: how good is a policy at an address."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from gwm.cli.collect import add_policy, policy_factory, task_of
from gwm.cli.target import add_target, connect
from gwm.episode import write_atomically
from gwm.evaluate import score
from gwm.progress import Progress
from gwm.rollout import RolloutPlan, default_steps, rollouts


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "eval",
        help="score a policy: return and success, with 95 %% intervals",
        description="Play episodes and score the policy: mean return (bootstrap interval) and success rate "
        "(Wilson interval), both at 95 %. An episode succeeds when any of its steps does.",
        epilog="examples: gwm eval --env metaworld:hammer-v3 --policy scripted --episodes 20 | "
        "gwm eval --address localhost:50051 --policy my_package.agents:make --json score.json",
    )
    add_target(parser)
    add_policy(parser, "random")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the score, and every episode's, as JSON"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with connect(args, args.parallel) as client:
        spec = client.spec()
        task = task_of(args, spec) if args.task or len(spec.tasks) == 1 else spec.model_id
        steps = args.steps or default_steps(spec)
        seeds = range(args.seed, args.seed + args.episodes)
        plan = RolloutPlan(
            seeds,
            steps,
            int(np.prod(spec.action.shape)),
            policy_factory(args, spec, task),
            (),
            args.parallel,
        )
        with Progress(steps * len(seeds), f"eval {args.policy}") as progress:
            played = sorted(rollouts(client, plan, progress.advance), key=lambda trajectory: trajectory.seed)
    result = score([t.total_reward for t in played], [t.succeeded for t in played], [t.steps for t in played])
    print(f"{args.policy} on {spec.model_id}")
    print(result.table())
    if args.json:
        episodes = [
            {"seed": t.seed, "return": t.total_reward, "success": t.succeeded, "steps": t.steps}
            for t in played
        ]
        document = {
            "policy": args.policy,
            "model_id": spec.model_id,
            **result.as_dict(),
            "per_episode": episodes,
        }
        write_atomically(args.json, json.dumps(document, indent=2).encode() + b"\n")
    return 0
