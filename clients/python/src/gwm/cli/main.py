"""The `gwm` program."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from gwm.cli import bench_server, collect, dataset, eval, models, ping, serve_env, spec, step
from gwm.cli.target import explain
from gwm.errors import GwmError
from gwm.serving.worker import WorkerError
from gwm.version import VERSION


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gwm",
        description="Talk to gwm servers: learned worlds and real environments behind one protocol.",
        epilog="'gwm COMMAND --help' explains a command and gives an example.",
    )
    parser.add_argument("--version", action="version", version=f"gwm {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in (ping, spec, step, collect, dataset, serve_env, eval, models, bench_server):
        module.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """0: done, 1: failed (one line on stderr tells why), 2: wrong usage, 130: interrupted."""
    args = make_parser().parse_args(argv)
    try:
        return int(args.run(args))
    except (GwmError, WorkerError, ValueError, ImportError, OSError) as error:
        print(f"gwm {args.command}: error: {explain(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
