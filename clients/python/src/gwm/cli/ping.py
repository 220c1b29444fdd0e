"""gwm ping: is somebody there, who, and how far away."""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from gwm.cli.target import add_address, connect, positive
from gwm.errors import UnimplementedError


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "ping",
        help="ask a server who it is, and measure the round trip",
        description="Ask a server who it is, and measure the round trip of its smallest call.",
        epilog="example: gwm ping --address localhost:50051 --count 100",
    )
    add_address(parser)
    parser.add_argument("--count", type=positive, default=10, help="calls to time (%(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with connect(args) as client:
        spec = client.spec()
        try:
            info = client.server_info()
            print(f"{client.address}: {info.model_id} on {info.device}, version {info.version}")
            up_s = time.time() - info.start_time_s
            print(f"{info.sessions} sessions, {info.envs} environments, up {up_s:.0f} s")
            probe = client.server_info
        except UnimplementedError:
            print(f"{client.address}: {spec.model_id} on {spec.device}")
            probe = lambda: client.spec(refresh=True)  # type: ignore[assignment,return-value]  # noqa: E731
        times_ms = []
        for _ in range(args.count):
            start_s = time.perf_counter()
            probe()
            times_ms.append(1000 * (time.perf_counter() - start_s))
    p50, p99 = np.percentile(times_ms, [50, 99])
    print(f"round trip: p50 {p50:.2f} ms, p99 {p99:.2f} ms ({args.count} calls)")
    return 0
