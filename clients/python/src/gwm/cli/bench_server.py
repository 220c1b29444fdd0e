"""gwm bench-server: loads a running server and reports what its clients saw."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from gwm.cli.target import add_address

MODES = ("sessions", "steps", "vector", "run", "reply", "latency")
PROGRAM = "gwm-bench-server"
# Options that go to the program as they are, when they are given: name, type, what they mean.
_PASSED = (
    ("duration", float, "seconds that are measured (10)"),
    ("warmup", float, "seconds before that, which do not count (2)"),
    ("connections", int, "connections to the server (8)"),
    ("envs", int, "environments of a session (64 for vector and run, else 1)"),
    ("rate", float, "sessions: how many arrive per second (20)"),
    ("steps", int, "sessions: steps of each (50)"),
    ("deadline-ms", int, "sessions: time that a call may take (no limit)"),
    ("observations", str, "to return with every step: names with commas (none)"),
    ("seed", int, "of arrivals and sessions (0)"),
    ("json", Path, "file for the report (the table only)"),
)


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "bench-server",
        help="load a running server: open-loop sessions, deadlines, percentiles",
        description=f"Load a running server and report what its clients saw. Runs the program {PROGRAM}, so "
        "that Python is not the bottleneck.",
        epilog="examples: gwm bench-server --address localhost:50051 --rate 40 --steps 50 --deadline-ms 100; "
        "gwm bench-server --mode vector --envs 64 --json /tmp/vector.json",
    )
    add_address(parser)
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="sessions",
        help="sessions: they arrive at random (Poisson), whether or not the server keeps up; steps: unary "
        "steps per second; vector: in sessions of many environments; run: through one stream; reply: bytes "
        "per second of large images; latency: one step at a time (%(default)s)",
    )
    for name, kind, meaning in _PASSED:
        parser.add_argument(f"--{name}", type=kind, help=meaning)
    parser.add_argument(
        "--program", type=Path, help=f"the program (found in PATH, else {PROGRAM} of the build)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    return subprocess.run(command_of(args), check=False).returncode


def command_of(args: argparse.Namespace) -> list[str]:
    """The program with its flags. Raises FileNotFoundError when it is nowhere."""
    command = [str(args.program or find_program()), f"--address={args.address}", f"--mode={args.mode}"]
    for name, _, _ in _PASSED:
        value = getattr(args, name.replace("-", "_"))
        if value is not None:
            command.append(f"--{name.replace('-', '_')}={value}")
    return command


def find_program() -> Path:
    """In PATH, or in the build folder of the repository that this package lies in."""
    found = shutil.which(PROGRAM)
    if found:
        return Path(found)
    build = os.environ.get("GWM_BUILD", "build/release")
    for folder in Path(__file__).resolve().parents:
        if (folder / build / "bin" / PROGRAM).is_file():
            return folder / build / "bin" / PROGRAM
    raise FileNotFoundError(
        f"{PROGRAM} is not there: put it into PATH, name it with --program, or build it (make build)"
    )
