"""C16: memory of the server over 100 000 steps of sessions of several sizes, and its allocations."""

from __future__ import annotations

import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.ceilings import Ceilings
from bench.processes import Server, fake_server, listening
from bench.result import Result
from bench.settings import Settings

STEPS, STEPS_QUICK = 100_000, 20_000
WARM_UP_STEPS, WARM_UP_QUICK = 30_000, 5_000
ALLOWED_GROWTH = 0.01
# Environments of the sessions whose steps run at the same time.
ENVS = (1, 4, 64)
_TIMEOUT_S = 300.0
_POLL_S = 0.05


@contextmanager
def _load(settings: Settings, server: Server, envs: int) -> Iterator[None]:
    command = [
        str(settings.program("gwm-bench-server")),
        f"--address={server.address}",
        "--mode=vector",
        "--connections=1",
        f"--envs={envs}",
        "--observations=latent",
        "--warmup=0",
        "--duration=600",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _await_steps(server: Server, count: float) -> float:
    deadline = time.monotonic() + _TIMEOUT_S
    while (made := server.metric("gwm_env_steps_total")) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{made:.0f} of {count:.0f} steps after {_TIMEOUT_S:.0f} s")
        threading.Event().wait(_POLL_S)
    return made


def _count(file: Path) -> int:
    return int(struct.unpack("<Q", file.read_bytes()[:8])[0])


def measure_memory(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """The real server on the fake world. Allocations are counted by a preloaded library."""
    steps = STEPS_QUICK if settings.quick else STEPS
    warm_up = WARM_UP_QUICK if settings.quick else WARM_UP_STEPS
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        counter = Path(folder) / "allocations"
        counter.write_bytes(b"\0" * 8)
        library = settings.library("gwm_count_allocations")
        preload = {"LD_PRELOAD": str(library), "GWM_ALLOCATION_COUNT": str(counter)}
        command = fake_server(settings, "--metrics-listen=127.0.0.1:0")
        server = stack.enter_context(listening(command, preload, metrics=True))
        for envs in ENVS:
            stack.enter_context(_load(settings, server, envs))
        begun = _await_steps(server, warm_up)
        calls_before, rss, count = (
            server.metric("gwm_denoiser_calls_total"),
            server.rss_bytes(),
            _count(counter),
        )
        made = _await_steps(server, begun + steps) - begun
        grown, allocations = server.rss_bytes() - rss, _count(counter) - count
        calls = server.metric("gwm_denoiser_calls_total") - calls_before
    share = grown / rss
    result = Result(
        row=row,
        case=f"{made:.0f} steps, sessions of {', '.join(map(str, ENVS))}",
        unit="% of RSS",
        target="RSS < +1 %, 0 allocations",
        ours=100 * share,
        dtype="-",
        met=share < ALLOWED_GROWTH and allocations == 0,
        settings="fake world",
        extra={
            "rss_mb": rss / 1e6,
            "grown_mb": grown / 1e6,
            "allocations_per_env_step": allocations / made,
            "denoiser_calls": calls,
        },
    )
    if share >= ALLOWED_GROWTH:
        result.reason = f"the process grew by {100 * share:.2f} %"
    elif allocations:
        result.reason = (
            f"memory is flat ({100 * share:+.2f} %), but {allocations / made:.1f} allocations an environment "
            "step: gRPC, the messages of protobuf and one state object each"
        )
    yield result
