"""C14 and C15: what the real server adds to a call, beside servers that do nothing but answer."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from bench.ceilings import Ceilings
from bench.processes import fake_server, listening, python_server
from bench.result import Result
from bench.settings import Settings

# 8 MiB of RGB bytes, nearly.
_WIDTH, _HEIGHT = 2048, 1365
_STEP_CALLS, _STEP_CALLS_QUICK = 3000, 300
_RENDER_CALLS, _RENDER_CALLS_QUICK = 40, 6
_STEP_LIMIT_US = 50.0
_CPP_TARGET, _PYTHON_TARGET, _BYTES_TARGET = 1.15, 4.0, 1.5


def _time_calls(settings: Settings, method: str, calls: int, addresses: list[str]) -> dict[str, Any]:
    """What rpc_calls prints: one blocking client in C++, the servers in turn."""
    command = [str(settings.program("rpc_calls", "bench")), method, str(calls), str(_WIDTH), str(_HEIGHT)]
    output = subprocess.run([*command, *addresses], capture_output=True, check=True, text=True).stdout
    times: dict[str, Any] = json.loads(output)
    return times


def _quantiles(values: list[float]) -> dict[str, float]:
    return {"p50": float(np.percentile(values, 50)), "p99": float(np.percentile(values, 99))}


def paired(result: Result, ours: list[float], theirs: list[float]) -> None:
    """Fills in medians and ratios of calls that were made in turn."""
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    result.ours, result.baseline = statistics.median(ours), statistics.median(theirs)
    result.ratio = statistics.median(ratios)
    result.ratio_quartiles = [float(np.percentile(ratios, q)) for q in (25, 75)]
    result.pairs = len(ratios)


def refuse(result: Result, text: str) -> Result:
    result.state, result.met, result.reason = "refused", False, f"outputs differ: {text}"
    return result


def measure_step(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """C14: Step of one environment, nothing observed, on the fake world."""
    calls = _STEP_CALLS_QUICK if settings.quick else _STEP_CALLS
    with ExitStack() as stack:
        servers = [
            stack.enter_context(listening(command))
            for command in (
                fake_server(settings),
                [str(settings.program("echo_server", "bench"))],
                python_server("bench.python_echo"),
            )
        ]
        times = _time_calls(settings, "step", calls, [server.address for server in servers])
    baselines = (
        ("C++ sync echo", 1 / _CPP_TARGET, "within 1.15x"),
        ("Python grpcio echo", _PYTHON_TARGET, ">= 4x"),
    )
    for index, (name, target, text) in enumerate(baselines, start=1):
        result = Result(
            row=row, case="Step, 1 environment", unit="us", target=text, baseline_name=name, dtype="-"
        )
        result.outputs_equal, result.outputs = not times["different"], "rewards of every call"
        result.settings = "one blocking C++ client, a connection each, loopback TCP"
        if times["different"]:
            yield refuse(result, times["different"])
            continue
        paired(result, times["latency_us"][0], times["latency_us"][index])
        result.limit, result.limit_of = _STEP_LIMIT_US, "loopback message, table of the specification"
        result.limit_percent = 100 * _STEP_LIMIT_US / float(result.ours or 1)
        result.met = float(result.ratio or 0) >= target
        if not result.met:
            result.reason = (
                "two hand-overs between threads, session look-up and the kept reply"
                if index == 1
                else "the transport of gRPC is the larger part of both"
            )
        result.extra = {
            "ours": _quantiles(times["latency_us"][0]),
            "baseline": _quantiles(times["latency_us"][index]),
            "device_us": statistics.median(times["device_us"][0]),
            "reply_bytes": [times["reply_bytes"][0], times["reply_bytes"][index]],
        }
        yield result


def measure_reply(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """C15: an image of 8 MiB in a reply, less the time that the fake world paints it."""
    calls = _RENDER_CALLS_QUICK if settings.quick else _RENDER_CALLS
    with ExitStack() as stack:
        fake = fake_server(settings, "--metrics-listen=127.0.0.1:0")
        ours = stack.enter_context(listening(fake, metrics=True))
        echo = stack.enter_context(listening([str(settings.program("echo_server", "bench"))]))
        times = _time_calls(settings, "render", calls, [ours.address, echo.address])
        # Replies tell the device's time of steps alone; all renders, warm-ups too, were of one size.
        renders = ours.metric("gwm_rpc_handled_total", "Render")
        painting_us = 1e6 * ours.metric("gwm_rpc_stage_seconds_total", 'stage="render"') / max(renders, 1)
    size = _WIDTH * _HEIGHT * 3
    result = Result(
        row=row,
        case=f"reply of {size / 2**20:.1f} MiB",
        unit="ms",
        target=">= 1.5x; >= 8x by shared memory",
        baseline_name="C++ sync server, naive bytes field",
        dtype="u8 / u8",
        settings="one blocking C++ client, loopback TCP; ours less its mean painting time",
    )
    result.outputs_equal, result.outputs = not times["different"], "all pixels of both replies arrived"
    if times["different"]:
        yield refuse(result, times["different"])
        return
    wire = [(total - painting_us) / 1e3 for total in times["latency_us"][0]]
    paired(result, wire, [us / 1e3 for us in times["latency_us"][1]])
    result.limit, result.limit_of = 1e3 * size / ceilings.copy_bytes, "one copy at the measured speed"
    result.limit_percent = 100 * result.limit / float(result.ours or 1)
    result.met = float(result.ratio or 0) >= _BYTES_TARGET
    if not result.met:
        result.reason = (
            "replies are protobuf messages with `bytes` fields as in the baseline, copied on both sides; "
            "there is no shared-memory path"
        )
    result.extra = {
        "gb_per_s_ours": size / float(result.ours or 1) / 1e6,
        "gb_per_s_baseline": size / float(result.baseline or 1) / 1e6,
        "painting_ms": painting_us / 1e3,
    }
    yield result
