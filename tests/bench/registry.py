"""Which function measures which row, and about how long it takes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.ceilings import Ceilings
from bench.result import Result
from bench.settings import Settings

Measure = Callable[[str, Settings, Ceilings], Iterator[Result]]


@dataclass(frozen=True)
class Row:
    """function: "module:name" in this package, so that a row imports what it needs alone."""

    title: str
    function: str
    seconds: float  # on two quiet cores; for the time left that is shown
    timeout_s: float = 300.0

    def measure(self) -> Measure:
        module, name = self.function.split(":")
        measure: Measure = getattr(importlib.import_module(f"bench.{module}"), name)
        return measure


ROWS = {
    "C1": Row("farthest point sampling, 16k points", "rows_fps:measure_fps", 10),
    "C2": Row("farthest point sampling, 200k points", "rows_fps:measure_fps", 25),
    "C3": Row("nearest neighbours both ways, 16k", "rows_chamfer:measure_forward", 25),
    "C4": Row("Chamfer loss and gradient, 2048 x 8", "rows_chamfer:measure_backward", 25),
    "C5": Row("raster forward, 16k @128^2", "rows_raster:measure_forward", 60),
    "C6": Row("raster forward, 100k", "rows_raster:measure_forward", 40),
    "C7": Row("raster forward + backward, 16k @128^2", "rows_raster:measure_backward", 25),
    "C8": Row("linear layers of a block, 512 tokens", "rows_layers:measure_linear", 40),
    "C9": Row("one evaluation of the shipped denoiser", "rows_model:measure_denoiser", 120, timeout_s=900),
    "C10": Row("full environment step, served", "rows_step:measure_step", 90),
    "C11": Row("attention 512 x 512", "rows_layers:measure_attention", 15),
    "C12": Row("RMSNorm, modulation and gate", "rows_layers:measure_norm", 10),
    "C13": Row("PNG of a frame", "rows_png:measure_png", 10),
    "C14": Row("gRPC Step of one client", "rows_rpc:measure_step", 15),
    "C15": Row("reply of 8 MiB", "rows_rpc:measure_reply", 15),
    "C16": Row("memory over 100 000 steps", "rows_memory:measure_memory", 60),
    "C17": Row("batch invariance and replay", "rows_invariance:measure_invariance", 30),
}


def chosen(names: str) -> list[str]:
    """ "C1,C5" -> the names in the order of the table; "" means all. Raises ValueError for an unknown one."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in ROWS]
    if unknown:
        raise ValueError(f"unknown rows {', '.join(unknown)}; there are {', '.join(ROWS)}")
    ordered = sorted(ROWS, key=lambda name: int(name[1:]))
    return [name for name in ordered if not wanted or name in wanted]
