"""C5, C6, C7: rendering beside gsplat's projection with Torch compositing, and beside our scalar level."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from bench.ceilings import Ceilings
from bench.clouds import splat_scene
from bench.contest import Contest, Limit, Outputs, run
from bench.exact import psnr_db
from bench.native import BEST_LEVEL, SCALAR_LEVEL, Floats, Kernels, SplatScene
from bench.result import Result
from bench.settings import SEED, THREADS, Settings
from bench.torch_raster import Leaves, View, composite_dense, composite_tiled, project

Composite = Callable[..., torch.Tensor]
TILED = "gsplat torch projection + tiled torch compositing"
DENSE = "gsplat torch projection + dense torch compositing"
SCALAR = "our scalar level"
_REASON = "binning, depth sort and the lanes of 16-pixel rows that a small splat leaves empty"
_MIN_PSNR_DB = 60.0
_MAX_DIFFERENCE = 2 / 255
# Of gradients, relative to the norm of the baseline's.
_MAX_GRADIENT_ERROR = 1e-3


class Renderer:
    """One scene rendered over and over into the same images by one thread pool."""

    def __init__(self, kernels: Kernels, scene: SplatScene) -> None:
        self.kernels, self.scene = kernels, scene
        self.rgb = np.empty((scene.height, scene.width, 3), np.float32)
        self._alpha, self._depth = np.empty((2, scene.height, scene.width), np.float32)

    def forward(self) -> Floats:
        return self.kernels.render(self.scene, self.rgb, self._alpha, self._depth)

    def forward_backward(self, grad_rgb: Floats) -> list[Floats]:
        """Gradients of sum(grad_rgb * rgb) in the order of SplatScene."""
        self.forward()
        scene = self.scene
        inputs = (scene.means, scene.quats, scene.scales, scene.opacities, scene.colors)
        into = [np.zeros_like(array) for array in inputs]
        self.kernels.render_backward(scene, grad_rgb, into)
        return into


def same_images(ours: Floats, theirs: Floats) -> Outputs:
    difference, psnr = float(np.abs(ours - theirs).max()), psnr_db(ours, theirs)
    equal = psnr >= _MIN_PSNR_DB and difference <= _MAX_DIFFERENCE
    return Outputs(equal, f"PSNR {psnr:.1f} dB, max difference {difference:.2g}")


def _torch_forward(scene: SplatScene, composite: Composite) -> Callable[[], torch.Tensor]:
    leaves, view = Leaves.of(scene), View.of(scene)

    def render() -> torch.Tensor:
        with torch.inference_mode():
            return composite(project(leaves, view), scene.width, scene.height)

    return render


def _forward_contest(
    row: str, scene: SplatScene, settings: Settings, baseline: str, target: float | None, limit: Limit
) -> Contest:
    library = settings.library("gwm_bench_kernels")
    ours = Renderer(Kernels(library, THREADS, BEST_LEVEL), scene)
    if baseline == SCALAR:
        scalar = Renderer(Kernels(library, THREADS, SCALAR_LEVEL), scene)
        theirs: Callable[[], object] = scalar.forward

        def check() -> Outputs:
            wrong = int((ours.forward() != scalar.forward()).sum())
            return Outputs(wrong == 0, f"{wrong} of {ours.rgb.size} values differ (bit by bit)")

    else:
        render = _torch_forward(scene, composite_dense if baseline == DENSE else composite_tiled)
        theirs = render

        def check() -> Outputs:
            return same_images(ours.forward(), render().numpy())

    return Contest(
        row=row,
        case=f"{len(scene.means)} Gaussians @{scene.width}^2",
        ours=ours.forward,
        baseline=theirs,
        baseline_name=baseline,
        check=check,
        target=target,
        limit=limit,
        reason=_REASON,
        settings=f"{ours.kernels.level}, {THREADS} threads; torch inference mode, {THREADS} threads",
    )


# (row, Gaussians, side px, baseline, target, limit of the table in seconds)
_FORWARD = (
    ("C5", 16_384, 128, TILED, 15.0, 0.4e-3),
    ("C5", 16_384, 128, DENSE, 15.0, 0.4e-3),
    ("C5", 16_384, 128, SCALAR, None, 0.4e-3),
    ("C6", 100_000, 128, TILED, 12.0, 1.5e-3),
    ("C6", 100_000, 512, SCALAR, 10.0, 6e-3),
)


def measure_forward(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """C5 and C6. Dense compositing takes seconds a frame: three pairs only, and not in a quick run."""
    torch.set_num_threads(THREADS)
    for name, gaussians, side, baseline, target, limit_s in _FORWARD:
        if name != row or (baseline == DENSE and settings.quick):
            continue
        limit = Limit(ceilings.scaled(limit_s), "table of the specification")
        scene = splat_scene(gaussians, side, side)
        yield run(_forward_contest(row, scene, settings, baseline, target, limit), settings)


def _same_gradients(ours: list[Floats], again: list[Floats], theirs: list[Floats]) -> Outputs:
    errors = [float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(ours, theirs, strict=True)]
    repeatable = all((a == b).all() for a, b in zip(ours, again, strict=True))
    bits = "the same" if repeatable else "OTHER"
    text = f"relative gradient error {max(errors):.2g}; a second run gives {bits} bits"
    return Outputs(repeatable and max(errors) <= _MAX_GRADIENT_ERROR, text)


def measure_backward(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """C7: gradients of a weighted sum of the pixels with respect to all inputs."""
    torch.set_num_threads(THREADS)
    scene = splat_scene(16_384, 128, 128)
    random = np.random.default_rng([SEED, 7])
    grad = random.normal(size=(128, 128, 3)).astype(np.float32)
    ours = Renderer(Kernels(settings.library("gwm_bench_kernels"), THREADS), scene)

    def baseline() -> list[Floats]:
        leaves = Leaves.of(scene, gradients=True)
        image = composite_tiled(project(leaves, View.of(scene)), scene.width, scene.height)
        image.backward(torch.from_numpy(grad))
        return [leaf.grad.numpy() for leaf in leaves.all()]  # type: ignore[union-attr]

    def check() -> Outputs:
        return _same_gradients(ours.forward_backward(grad), ours.forward_backward(grad), baseline())

    yield run(
        Contest(
            row=row,
            case="16384 Gaussians @128^2, forward + backward",
            ours=lambda: ours.forward_backward(grad),
            baseline=baseline,
            baseline_name=TILED + ", autograd",
            check=check,
            target=8.0,
            limit=Limit(ceilings.scaled(1.5e-3), "table of the specification"),
            reason=_REASON,
            settings=f"{ours.kernels.level}, {THREADS} threads; torch {THREADS} threads",
        ),
        settings,
    )
