"""gwm step: a few random steps, to see that a world moves."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from gwm.cli.target import add_target, connect, positive
from gwm.png import write_png
from gwm.policies import make_policy


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "step",
        help="reset one environment and take a few random steps",
        description="Reset one environment, take a few random steps, print what comes back.",
        epilog="example: gwm step --steps 8 --seed 1 --png frames.png",
    )
    add_target(parser)
    parser.add_argument("--steps", type=positive, default=5, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the world and of the actions (%(default)s)")
    parser.add_argument("--png", type=Path, metavar="FILE", help="write all frames of view 0 side by side")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with connect(args) as client:
        spec = client.spec()
        names = ["rgb"] if args.png else []
        if args.png and "rgb" not in spec.observations:
            raise ValueError(f"--png needs the observation 'rgb'; {spec.model_id} does not offer it")
        size, action = int(np.prod(spec.action.shape)), spec.action
        policy = make_policy(
            "random", spec.model_id, args.seed, action_size=size, low=action.min, high=action.max
        )
        with client.create_session(observations=names) as session:
            start = session.reset(seed=args.seed)
            frames = [start.observations["rgb"][0, 0]] if args.png else []
            print(f"{spec.model_id}, seed {args.seed}")
            for _ in range(args.steps):
                begin_s = time.perf_counter()
                result = session.step(policy.act({}))
                elapsed_ms = 1000 * (time.perf_counter() - begin_s)
                success, probability = int(result.success[0]), result.success_probability[0]
                print(
                    f"step {int(result.step_index[0])}: reward {result.reward[0]:.4f}, "
                    f"success {success} ({probability:.2f}), {elapsed_ms:.1f} ms"
                )
                frames += [result.observations["rgb"][0, 0]] if args.png else []
                if result.terminated[0] or result.truncated[0] or result.failed[0]:
                    print("the episode ended")
                    break
    if args.png:
        write_png(args.png, np.concatenate(frames, axis=1))
        print(f"wrote {args.png}")
    return 0
