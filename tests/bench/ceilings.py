"""What this machine can do at best, measured in the same run as the rows."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from bench.measure import seconds_of, settle
from bench.settings import THREADS

# Short enough that some of the tries find the cores free on a machine with other work.
_SIDE = 1024
_BYTES = 64 << 20
_TRIES, _TRIES_QUICK = 60, 20
# The ceilings that the limits of the specification's table were reckoned with, on two cores.
REFERENCE_F32_FLOPS = 433e9
REFERENCE_READ_BYTES = 32e9


@dataclass(frozen=True)
class Ceilings:
    """FLOP/s of a matrix product; bytes/s of reading memory and of copying (each byte counted once)."""

    f32_flops: float
    bf16_flops: float
    read_bytes: float
    copy_bytes: float

    @property
    def best_flops(self) -> float:
        return max(self.f32_flops, self.bf16_flops)

    def scaled(self, reference_s: float) -> float:
        """A limit of the table, reckoned for the reference ceilings, on this machine: never below it."""
        return reference_s * max(1.0, REFERENCE_F32_FLOPS / self.f32_flops)

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def _best(call: object, tries: int) -> float:
    times = []
    for _ in range(tries):
        settle()
        times.append(seconds_of(call))  # type: ignore[arg-type]
    return min(times)


def measure_ceilings(quick: bool) -> Ceilings:
    """The best of many short tries each."""
    tries = _TRIES_QUICK if quick else _TRIES
    torch.set_num_threads(THREADS)
    flops = {}
    with torch.inference_mode():
        for dtype in (torch.float32, torch.bfloat16):
            left, right = torch.randn(2, _SIDE, _SIDE, dtype=torch.float32).to(dtype)
            out = torch.empty_like(left)
            flops[dtype] = 2 * _SIDE**3 / _best(lambda a=left, b=right, c=out: torch.mm(a, b, out=c), tries)
        block = torch.ones(_BYTES // 4)
        target = torch.empty_like(block)
        read = _BYTES / _best(block.sum, tries)
        copy = _BYTES / _best(lambda: target.copy_(block), tries)
    return Ceilings(flops[torch.float32], flops[torch.bfloat16], read, copy)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def describe_machine() -> dict[str, str]:
    """Processor, threads and versions."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    packages = {name: _version(name) for name in ("torch", "numpy", "grpcio", "fpsample", "gsplat", "scipy")}
    return {
        "processor": names[0].split(":", 1)[1].strip() if names else platform.processor(),
        "cores": str(len(names)),
        "threads": str(THREADS),
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "onednn": "on" if torch.backends.mkldnn.is_available() else "off",
        "load_average": Path("/proc/loadavg").read_text().split()[0],
        "python": platform.python_version(),
        **packages,
    }
