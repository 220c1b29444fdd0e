"""C1 and C2: farthest point sampling beside fpsample's k-d line buckets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.ceilings import Ceilings
from bench.clouds import surface_cloud
from bench.contest import Contest, Limit, Outputs, run
from bench.exact import farthest_points
from bench.measure import seconds_of
from bench.native import Kernels
from bench.result import Result
from bench.settings import THREADS, Settings

_HEIGHTS = (3, 5, 7, 9)
_REASON = (
    "each sample looks at the bounds of all buckets and updates a dozen of them; "
    "at 200k points a quarter of the time is the Morton sort, on one thread"
)
# (row, points, samples, target, limit of the table in seconds)
_CASES = (
    ("C1", 16_384, 512, 4.0, 0.3e-3),
    ("C1", 16_384, 2048, 5.0, 0.6e-3),
    ("C2", 200_000, 2048, 5.0, 2e-3),
)


def _best_height(points: object, samples: int) -> int:
    import fpsample

    def seconds(height: int) -> float:
        return min(
            seconds_of(lambda: fpsample.bucket_fps_kdline_sampling(points, samples, h=height))
            for _ in range(3)
        )

    return min(_HEIGHTS, key=seconds)


def measure_fps(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """The exact index list is checked against a plain loop: fpsample does not honour its start index."""
    import fpsample

    kernels = Kernels(settings.library("gwm_bench_kernels"), THREADS)
    for name, count, samples, target, limit_s in _CASES:
        if name != row:
            continue
        points = surface_cloud(count, seed=1)
        indices = np.empty(samples, np.int64)

        def check(points=points, indices=indices) -> Outputs:  # type: ignore[no-untyped-def]
            wrong = int((kernels.fps(points, indices) != farthest_points(points, len(indices))).sum())
            return Outputs(wrong == 0, f"{wrong} of {len(indices)} indices differ from the plain loop")

        height = _best_height(points, samples)
        yield run(
            Contest(
                row=row,
                case=f"{count} -> {samples}",
                ours=lambda points=points, indices=indices: kernels.fps(points, indices),
                baseline=lambda points=points, samples=samples, height=height: (
                    fpsample.bucket_fps_kdline_sampling(points, samples, h=height)
                ),
                baseline_name="fpsample kdline",
                check=check,
                target=target,
                limit=Limit(ceilings.scaled(limit_s), "bucketed sampling, table of the specification"),
                reason=_REASON,
                settings=f"{kernels.level}, {THREADS} threads; fpsample h={height} of {_HEIGHTS}, 1 thread",
            ),
            settings,
        )
