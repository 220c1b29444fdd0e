"""gwm serve-env: a real environment behind the same protocol as a learned world."""

from __future__ import annotations

import argparse
import json
import logging
from typing import Any

from gwm.cli.target import positive
from gwm.serving.serve import DEFAULT_ADDRESS, DEFAULT_MAX_ENVS, serve_env


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "serve-env",
        help="serve a real environment as gwm.v1.Simulator",
        description="Serve a real environment as gwm.v1.Simulator: what works against it works against "
        "a learned world, and the other way round. Every environment of a session runs in a process of "
        "its own.",
        epilog="examples: gwm serve-env --env metaworld:hammer-v3 --listen 0.0.0.0:50052 | "
        "gwm serve-env --env Pendulum-v1 | "
        "gwm serve-env --env metaworld:plate-slide-v3 --option camera=corner2 --option horizon=200",
    )
    parser.add_argument(
        "--env", required=True, metavar="NAME", help="'metaworld:TASK' or the id of a Gymnasium environment"
    )
    parser.add_argument(
        "--listen",
        default=DEFAULT_ADDRESS,
        metavar="ADDR",
        help="HOST:PORT or unix:PATH; port 0 takes a free one (%(default)s)",
    )
    parser.add_argument(
        "--max-envs",
        type=positive,
        default=DEFAULT_MAX_ENVS,
        help="environments of all sessions (%(default)s)",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="setting of the environment, VALUE as JSON or a word; may be repeated. Meta-World: camera, "
        "width, height, action_repeat, shadow_size, msaa_samples, reflections, horizon. Others: arguments "
        "of gymnasium.make",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    serve_env(args.env, parse_options(args.option), args.listen, args.max_envs)
    return 0


def parse_options(items: list[str]) -> dict[str, Any]:
    """["a=1", "b=word"] -> {"a": 1, "b": "word"}. Raises ValueError."""
    options: dict[str, Any] = {}
    for item in items:
        name, separator, text = item.partition("=")
        if not separator or not name.isidentifier():
            raise ValueError(f"--option is {item!r}; expected NAME=VALUE")
        try:
            options[name] = json.loads(text)
        except ValueError:
            options[name] = text
    return options
