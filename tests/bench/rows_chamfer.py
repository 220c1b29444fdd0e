"""C3 and C4: nearest neighbours both ways, and the Chamfer loss with its gradient."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import numpy as np
import torch

from bench.ceilings import Ceilings
from bench.clouds import surface_cloud, uniform_cloud
from bench.contest import Contest, Limit, Outputs, run
from bench.exact import nearest_squares, relative_difference
from bench.measure import seconds_of
from bench.native import Floats, Kernels, pointer
from bench.result import Result, skipped
from bench.settings import THREADS, Settings

_LEAVES = (8, 16, 32)
_MAX_RELATIVE = 1e-6
_REASON_FORWARD = (
    "leaves whose boxes reach into those of their neighbours: half more are read than hold a nearest target"
)
_REASON_BACKWARD = "brute force over all pairs, each direction by itself"


class BothWays:
    """Neighbours of a in b and of b in a. a, b: [B, N, 3]"""

    def __init__(self, kernels: Kernels, a: Floats, b: Floats) -> None:
        self.kernels, self.a, self.b = kernels, a, b
        shape = a.shape[:2]
        self.squares = np.empty((2, *shape), np.float32)
        self.index = np.empty((2, *shape), np.int64)
        self._grad = np.full(shape, 1 / (shape[0] * shape[1]), np.float32)

    def forward(self) -> Floats:
        """Squared distances [2, B, N]."""
        self.kernels.nearest(self.a, self.b, self.squares[0], self.index[0])
        self.kernels.nearest(self.b, self.a, self.squares[1], self.index[1])
        return self.squares

    def loss_and_gradients(self) -> tuple[float, Floats, Floats]:
        """Mean squared distance, both ways added, mean over the batch; gradients of a and b."""
        squares = self.forward()
        into_a, into_b = np.zeros_like(self.a), np.zeros_like(self.b)
        self.kernels.nearest_backward(self.a, self.b, self.index[0], self._grad, (into_a, into_b))
        self.kernels.nearest_backward(self.b, self.a, self.index[1], self._grad, (into_b, into_a))
        return float(squares[0].mean() + squares[1].mean()), into_a, into_b


class TreeBothWays:
    """nanoflann: a tree over each cloud, one thread for each direction. a, b: [N, 3]"""

    def __init__(self, library: ctypes.CDLL, a: Floats, b: Floats) -> None:
        self._function = library.GwmBenchTreeBothWays
        self._a, self._b = a, b
        self.squares = np.empty((2, len(a)), np.float32)
        self._index = np.empty((2, len(a)), np.int64)
        self.leaf = min(_LEAVES, key=lambda leaf: min(seconds_of(lambda: self.run(leaf)) for _ in range(3)))

    def run(self, leaf: int = 0) -> Floats:
        count = ctypes.c_int64(len(self._a))
        outs = [pointer(part) for pair in zip(self.squares, self._index, strict=True) for part in pair]
        leaf = leaf or self.leaf
        self._function(pointer(self._a), count, pointer(self._b), count, ctypes.c_int(leaf), *outs)
        return self.squares


def measure_forward(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """C3: 16k points both ways."""
    kernels = Kernels(settings.library("gwm_bench_kernels"), THREADS)
    if not hasattr(kernels.library, "GwmBenchTreeBothWays"):
        yield skipped(row, "16384 both ways", "built without nanoflann (Debian: libnanoflann-dev)")
        return
    for name, cloud in (("surface", surface_cloud), ("uniform", uniform_cloud)):
        a, b = cloud(16_384, seed=3), cloud(16_384, seed=4)
        ours, theirs = BothWays(kernels, a[None], b[None]), TreeBothWays(kernels.library, a, b)

        def check(a=a, b=b, ours=ours, theirs=theirs) -> Outputs:  # type: ignore[no-untyped-def]
            exact = np.stack([nearest_squares(a, b), nearest_squares(b, a)])
            worst = max(
                relative_difference(float(squares.sum()), float(exact.sum()))
                for squares in (ours.forward(), theirs.run())
            )
            return Outputs(worst <= _MAX_RELATIVE, f"relative difference to f64 brute force {worst:.2g}")

        yield run(
            Contest(
                row=row,
                case=f"16384 both ways, {name}",
                ours=ours.forward,
                baseline=theirs.run,
                baseline_name="nanoflann",
                check=check,
                target=3.0,
                limit=Limit(
                    ceilings.scaled(1.5e-3), "queries alone in Morton order, table of the specification"
                ),
                reason=_REASON_FORWARD,
                settings=f"{kernels.level}, {THREADS} threads; nanoflann leaf {theirs.leaf}, 2 threads",
            ),
            settings,
        )


def _torch_chamfer(a: Floats, b: Floats, mode: str) -> tuple[float, Floats, Floats]:
    first, second = (torch.from_numpy(cloud).requires_grad_() for cloud in (a, b))
    distance = torch.cdist(first, second, compute_mode=mode)
    loss = distance.amin(2).square().mean() + distance.amin(1).square().mean()
    loss.backward()
    return loss.item(), first.grad.numpy(), second.grad.numpy()  # type: ignore[union-attr]


def measure_backward(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """C4: loss and gradients of 8 pairs of clouds of 2048 points."""
    torch.set_num_threads(THREADS)
    a, b = (np.stack([surface_cloud(2048, seed=10 + i + 8 * k) for i in range(8)]) for k in range(2))
    ours = BothWays(Kernels(settings.library("gwm_bench_kernels"), THREADS), a, b)
    # The other mode goes through a matrix product and loses half of the digits.
    mode = "donot_use_mm_for_euclid_dist"

    def check() -> Outputs:
        mine, theirs = ours.loss_and_gradients(), _torch_chamfer(a, b, mode)
        loss = relative_difference(mine[0], theirs[0])
        gradient = max(
            float(np.linalg.norm(x - y) / np.linalg.norm(y))
            for x, y in zip(mine[1:], theirs[1:], strict=True)
        )
        equal = loss <= _MAX_RELATIVE and gradient <= 1e-4
        return Outputs(equal, f"relative difference of the loss {loss:.2g}, of the gradients {gradient:.2g}")

    yield run(
        Contest(
            row=row,
            case="2048 x 2048, batch 8, forward + backward",
            ours=ours.loss_and_gradients,
            baseline=lambda: _torch_chamfer(a, b, mode),
            baseline_name="torch cdist + autograd",
            check=check,
            target=40.0,
            limit=Limit(ceilings.scaled(8 * 0.15e-3), "0.15 ms a cloud, table of the specification"),
            reason=_REASON_BACKWARD,
            settings=f"{ours.kernels.level}, {THREADS} threads; torch {THREADS} threads, {mode}",
        ),
        settings,
    )
