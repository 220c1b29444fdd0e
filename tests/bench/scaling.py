"""How times grow: rendering over Gaussians and pixels, sampling over points, steps over environments."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.clouds import splat_scene, surface_cloud
from bench.measure import seconds_of, settle
from bench.native import Kernels
from bench.rows_raster import Renderer
from bench.rows_step import loop_times
from bench.settings import THREADS, Settings

GAUSSIANS = (1024, 4096, 16_384, 65_536)
SIDES = (64, 128, 256, 512)
POINTS = (4096, 16_384, 65_536, 200_000)
SAMPLES = (512, 2048)
TRIES, TRIES_QUICK = 9, 2

# ms by the label of the line and of the column.
Table = dict[str, dict[str, float]]


def _median_ms(call: Callable[[], object], settings: Settings) -> float:
    call()
    times = []
    for _ in range(TRIES_QUICK if settings.quick else TRIES):
        settle()
        times.append(seconds_of(call))
    return 1e3 * statistics.median(times)


def render_table(kernels: Kernels, settings: Settings) -> Table:
    """Forward pass with projection; a Gaussian covers the same share of any image."""
    return {
        f"{count} Gaussians": {
            f"{side}^2": _median_ms(Renderer(kernels, splat_scene(count, side, side)).forward, settings)
            for side in SIDES
        }
        for count in GAUSSIANS
    }


def sampling_table(kernels: Kernels, settings: Settings) -> Table:
    table: Table = {}
    for count in POINTS:
        points = surface_cloud(count, seed=1)
        for samples in SAMPLES:
            indices = np.empty(samples, np.int64)
            ms = _median_ms(lambda p=points, i=indices: kernels.fps(p, i), settings)
            table.setdefault(f"{count} points", {})[f"{samples} samples"] = ms
    return table


def step_table(settings: Settings) -> Table:
    """One call for N environments of the checkpoint: in the process, and through a server."""
    table: Table = {}
    for (kind, envs), times in sorted(loop_times(settings, envs="(1|16)").items()):
        table.setdefault(f"{envs} environments", {})[kind] = statistics.median(times)
    return table


def measure(settings: Settings) -> dict[str, Table | str]:
    """All tables by their titles; the text of the error in place of one that could not be measured."""
    kernels = Kernels(settings.library("gwm_bench_kernels"), THREADS)
    wanted: dict[str, Callable[[], Table]] = {
        f"render forward, ms ({kernels.level}, {THREADS} threads)": lambda: render_table(kernels, settings),
        f"farthest point sampling, ms ({kernels.level}, {THREADS} threads)": lambda: sampling_table(
            kernels, settings
        ),
        "environment step, ms a call": lambda: step_table(settings),
    }
    tables: dict[str, Table | str] = {}
    for title, make in wanted.items():
        try:
            tables[title] = make()
        except Exception as error:
            tables[title] = f"not measured: {error}"
    return tables


def to_markdown(tables: dict[str, Table | str]) -> str:
    lines = ["# Scaling", ""]
    for title, table in tables.items():
        lines += [f"## {title}", ""]
        if isinstance(table, str):
            lines += [table, ""]
            continue
        columns = list(next(iter(table.values())))
        lines += ["| | " + " | ".join(columns) + " |", "|" + " --- |" * (len(columns) + 1)]
        lines += [
            f"| {label} | " + " | ".join(f"{cells[column]:.3g}" for column in columns) + " |"
            for label, cells in table.items()
        ]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """One argument: the job as JSON, with the fields of Settings and the folder "out"."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    tables = measure(Settings(Path(job["build"]), Path(job["checkpoint"]), job["quick"]))
    out = Path(job["out"])
    out.mkdir(parents=True, exist_ok=True)
    (out / "scaling.json").write_text(json.dumps(tables, indent=1) + "\n")
    (out / "scaling.md").write_text(to_markdown(tables))


if __name__ == "__main__":
    main()
