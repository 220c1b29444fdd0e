"""gwm dataset: foreign data sets into episode files, and checks of both."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gwm.dataset.cameras import read_intrinsics, read_poses
from gwm.dataset.check import DEFAULT_TOLERANCE_S, check_path, count_episodes
from gwm.dataset.convert import DROP, REPEAT, Conversion
from gwm.dataset.importer import (
    SOURCES,
    action_range,
    open_source,
    parse_span,
    read_size,
    run_import,
    select,
    sha256,
)
from gwm.dataset.recording import Request
from gwm.progress import Progress

_IMPORT_EXAMPLES = """\
examples:
  gwm dataset import --format robomimic lift/image.hdf5 data/lift --camera agentview --size 64x64
  gwm dataset import --format lerobot pusht data/pusht --camera top --intrinsics k.json \\
      --world-from-cam pose.json --depth observation.depth.top --actions minmax
  gwm dataset import --format lerobot pusht data/pusht --rgb-only --episodes 0:20     RGB policies only

An episode file holds RGB-D of cameras that stand still, with their matrices. What the source lacks:
  depth        --depth FEATURE per camera, or --depth-constant METRES
  intrinsics   --intrinsics FILE: {"top": {"fx": 60, "fy": 60, "cx": 32, "cy": 32}}, or 3x3 numbers,
               in pixels of the source's images
  pose         --world-from-cam FILE: {"top": 4x4 numbers}, OpenCV axes (x right, y down, z forward)
Without them a world model cannot place the pixels in space; --rgb-only writes placeholders for
policies that see RGB alone, and says so in the files. Run again to go on after an interruption."""

_CHECK_EXAMPLES = """\
examples:
  gwm dataset check data/lift
  gwm dataset check lift/image.hdf5 pusht --json > report.json

Exit status: 0 all is well, 1 something is wrong."""


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "dataset",
        help="import LeRobot and robomimic data sets, check data sets",
        description="Import foreign data sets as episode files, and check data sets.",
        epilog="examples: gwm dataset import --help, gwm dataset check data/lift",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_import(actions)
    check = _action(
        actions, "check", "check episode files, LeRobot folders, robomimic files", _CHECK_EXAMPLES
    )
    check.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    _add_tolerance(check)
    check.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    check.set_defaults(run=_check)


def _action(actions: Any, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def _add_tolerance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tolerance-s",
        type=float,
        default=DEFAULT_TOLERANCE_S,
        metavar="S",
        help="how far time stamps of LeRobot rows and videos may be off (%(default)g)",
    )


def _add_import(actions: Any) -> None:
    text = "write a LeRobot (v3.0, v2.1) or robomimic (HDF5) data set as episode files"
    parser = _action(actions, "import", text, _IMPORT_EXAMPLES)
    parser.add_argument("--format", choices=sorted(SOURCES), required=True, help="of SOURCE")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="LeRobot folder or HDF5 file")
    parser.add_argument("out", type=Path, metavar="OUT", help="gets TASK/KIND_EPISODE.safetensors.zst")
    parser.add_argument("--camera", action="append", default=[], metavar="NAME", help="repeat (default: all)")
    parser.add_argument("--episodes", default="0:", metavar="A:B", help="from A up to, not with, B (all)")
    parser.add_argument("--task", default="", help="name of the task (default: the source's)")
    parser.add_argument("--kind", default="demonstration", help="(%(default)s)")
    parser.add_argument("--size", metavar="WxH", help="size of the pictures (default: the source's)")
    parser.add_argument(
        "--actions",
        choices=("keep", "minmax"),
        default="keep",
        help="keep: they are within [-1, 1]; minmax: map the data set's range there (%(default)s)",
    )
    parser.add_argument("--action-key", default="", metavar="NAME", help="(action, actions)")
    parser.add_argument("--state-key", action="append", default=[], metavar="NAME", help="repeat to join")
    parser.add_argument(
        "--last-action",
        choices=(DROP, REPEAT),
        default=DROP,
        help="when the result of the last action was not recorded: drop it, or repeat the last frame",
    )
    _add_cameras(parser)
    _add_tolerance(parser)
    parser.set_defaults(run=_import)


def _add_cameras(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--intrinsics", type=Path, metavar="FILE", help="JSON, see below")
    parser.add_argument("--world-from-cam", type=Path, metavar="FILE", help="JSON, see below")
    parser.add_argument(
        "--depth",
        action="append",
        default=[],
        metavar="FEATURE",
        help="one per camera, in their order; of robomimic the name below obs (its CAMERA_depth is found)",
    )
    parser.add_argument(
        "--depth-unit-m", type=float, metavar="M", help="metres per unit (0.001 for integers, else 1)"
    )
    parser.add_argument("--depth-constant", type=float, metavar="M", help="a wall at this distance")
    parser.add_argument("--rgb-only", action="store_true", help="placeholders for depth and matrices")


def _import(args: argparse.Namespace) -> int:
    span = parse_span(args.episodes)
    how = _conversion(args)
    source = open_source(args.format, args.source)
    request = Request(
        tuple(args.camera),
        tuple(args.depth),
        args.depth_unit_m,
        args.action_key,
        tuple(args.state_key),
        args.tolerance_s,
        how.size,
    )
    how = replace(how, missing_hint=source.missing_hint)
    if args.actions == "minmax":
        how = replace(how, action_range=action_range(source, request, args.source))
    summary = run_import(
        source,
        select(source.episodes(), span, str(args.source)),
        args.out,
        request,
        how,
        task=args.task,
        kind=args.kind,
        options=_options(args),
    )
    if summary.kept:
        print(f"{summary.kept} episodes were there already")
    if summary.dropped_rewards:
        print(
            f"{summary.dropped_rewards} episodes lost the reward of their last action, whose result was not "
            "recorded; --last-action repeat-frame keeps it"
        )
    print(f"{summary.written} episodes written to {args.out}; gwm dataset check {args.out} checks them")
    return 0


def _conversion(args: argparse.Namespace) -> Conversion:
    for flag, value in (("--depth-constant", args.depth_constant), ("--depth-unit-m", args.depth_unit_m)):
        if value is not None and not 0 < value < 65.536:
            raise ValueError(f"{flag} is {value:g}; allowed: metres, above 0 and below 65.536")
    if args.depth and args.depth_constant is not None:
        raise ValueError("--depth and --depth-constant are both given; allowed: one of them")
    return Conversion(
        read_intrinsics(args.intrinsics) if args.intrinsics else {},
        read_poses(args.world_from_cam) if args.world_from_cam else {},
        args.depth_constant,
        args.rgb_only,
        read_size(args.size) if args.size else None,
        args.last_action,
    )


def _options(args: argparse.Namespace) -> dict[str, str]:
    """What the bytes of the files depend on, for the folder's import.json."""
    names = "format camera task kind size actions action_key state_key last_action depth depth_unit_m"
    options = {name: str(getattr(args, name)) for name in (*names.split(), "depth_constant", "rgb_only")}
    for name in ("intrinsics", "world_from_cam"):
        path = getattr(args, name)
        options[name] = f"sha256 {sha256(path)}" if path else ""
    return options


def _check(args: argparse.Namespace) -> int:
    reports = []
    with Progress(sum(map(count_episodes, args.paths)), "check", unit="episodes") as progress:
        for path in args.paths:
            reports.append(check_path(path, progress.advance, args.tolerance_s))
    errors = sum(len(report.findings) for report in reports)
    if args.json:
        document = {"ok": errors == 0, "errors": errors, "reports": [report.as_json() for report in reports]}
        print(json.dumps(document, indent=2))
        return 1 if errors else 0
    for report in reports:
        for finding in report.findings:
            print(finding, file=sys.stderr)
        count = len(report.findings)
        state = f"{count} error{'s' if count > 1 else ''}" if count else "ok"
        held = f"{report.episodes} episodes, {report.frames} frames"
        print(f"{report.path}: {report.format or 'unknown format'}, {held}: {state}")
    return 1 if errors else 0
