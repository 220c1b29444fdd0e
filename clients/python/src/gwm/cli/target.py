"""The --address / --env choice that several commands share."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from gwm.client import Client
from gwm.envs.metaworld import DEFAULT_HORIZON
from gwm.errors import GwmError

DEFAULT_ADDRESS = "127.0.0.1:50051"


def add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--address",
        default=os.environ.get("GWM_ADDRESS", DEFAULT_ADDRESS),
        help="HOST:PORT or unix:PATH of the server (default: $GWM_ADDRESS, else %(default)s)",
    )
    parser.add_argument(
        "--timeout", type=float, default=120.0, metavar="S", help="per call, seconds (%(default)g)"
    )


def add_target(parser: argparse.ArgumentParser) -> None:
    """--address, or --env for a real environment that is started for this command alone."""
    add_address(parser)
    parser.add_argument(
        "--env",
        metavar="NAME",
        help="instead of an address: serve this environment during the command "
        "('metaworld:TASK' or a Gymnasium id)",
    )


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"is {value}; it must be at least 1")
    return value


@contextlib.contextmanager
def connect(args: argparse.Namespace, parallel: int = 1) -> Iterator[Client]:
    """A client of the chosen target; a server started for --env ends with it."""
    with contextlib.ExitStack() as stack:
        address = args.address
        if getattr(args, "env", None):
            from gwm.serving.serve import EnvServer
            from gwm.serving.worker import ProcessWorker

            name, options = args.env, environment_options(args)
            factory = partial(ProcessWorker, name, options)
            server = stack.enter_context(EnvServer(factory, max_envs=parallel))
            address = server.address
        yield stack.enter_context(Client(address, timeout_s=args.timeout))


def environment_options(args: argparse.Namespace) -> dict[str, Any]:
    """Meta-World ends its episodes early by default; longer ones have to be asked for when it is started."""
    steps = getattr(args, "steps", None) or 0
    longer = args.env.startswith("metaworld:") and steps > DEFAULT_HORIZON
    return {"horizon": steps} if longer else {}


def explain(error: Exception) -> str:
    """One line for the terminal."""
    if isinstance(error, GwmError):
        return str(error)
    return f"{error}" or type(error).__name__
