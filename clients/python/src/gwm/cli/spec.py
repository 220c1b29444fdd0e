"""gwm spec: what a server offers."""

from __future__ import annotations

import argparse
import json
from typing import Any

from google.protobuf import json_format
from gwm.cli.target import add_target, connect
from gwm.types import FieldSpec, Spec


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "spec",
        help="print what a server offers",
        description="Print what a server offers: actions, observations, cameras, RPCs, limits.",
        epilog="examples: gwm spec --address localhost:50051 | gwm spec --env metaworld:hammer-v3 --json",
    )
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="the whole SimulatorSpec and Limits as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with connect(args) as client:
        spec = client.spec()
        if not args.json:
            print(describe(spec))
            return 0
        limits = client.connection.limits
        document = {
            "spec": json_format.MessageToDict(spec.raw, preserving_proto_field_name=True),
            "limits": json_format.MessageToDict(limits, preserving_proto_field_name=True) if limits else None,
        }
        print(json.dumps(document, indent=2))
    return 0


def describe(spec: Spec) -> str:
    lines = [
        f"model         {spec.model_id}"
        + (f" ({spec.checkpoint_digest[:16]})" if spec.checkpoint_digest else ""),
        f"contract      {spec.contract_version}, device {spec.device}",
        f"tasks         {', '.join(spec.tasks) or '-'}",
        f"action        {_field(spec.action)}",
    ]
    lines += [f"observation   {field.name}: {_field(field)}" for field in spec.observations.values()]
    horizon = str(spec.horizon) if spec.horizon else "unlimited"
    lines += [
        f"horizon       {horizon} steps" + (f" of {spec.control_dt_s:g} s" if spec.control_dt_s else ""),
        f"images        {spec.views} view(s) of {spec.width}x{spec.height}",
        f"reset from    {', '.join(sorted(spec.inits))}; pool of {spec.reset_pool_size} frames",
        f"calls         {', '.join(sorted(spec.rpcs))}",
    ]
    return "\n".join(lines)


def _field(field: FieldSpec) -> str:
    return f"{field.dtype} {list(field.shape)} in [{field.min:g}, {field.max:g}]"
