"""Seeded inputs: clouds as a depth camera sees them, and Gaussians before a camera."""

from __future__ import annotations

import numpy as np

from bench.native import Floats, SplatScene, f32
from bench.settings import SEED

_DISTANCE_M = 2.0
_FOCAL_PER_WIDTH = 0.9
# Standard deviation of a Gaussian on an image of 128 pixels, px.
_SIGMA_PX_AT_128 = 1.0


def surface_cloud(points: int, seed: int) -> Floats:
    """[N, 3] m, in pixel order: a bumpy surface seen by a camera, as RGB-D frames give it."""
    random = np.random.default_rng([SEED, seed])
    side = int(np.ceil(np.sqrt(points)))
    v, u = np.divmod(np.arange(points), side)
    x, y = u / side - 0.5, v / side - 0.5
    waves = sum(
        random.uniform(0.02, 0.1) * np.sin(2 * np.pi * (random.normal(size=2) @ np.stack([x, y])) * 3)
        for _ in range(6)
    )
    depth = 2.0 + waves + 0.002 * random.normal(size=points)
    return f32(np.stack([x * depth, y * depth, depth], -1))


def uniform_cloud(points: int, seed: int) -> Floats:
    """[N, 3] in the unit cube, in no order."""
    return np.random.default_rng([SEED, seed, 1]).random((points, 3), dtype=np.float32)


def splat_scene(gaussians: int, width: int, height: int, seed: int = 0) -> SplatScene:
    """Gaussians in a box at 2 m, wider than the image; footprints grow with the image."""
    random = np.random.default_rng([SEED, seed, 2])
    extent = 0.7 * _DISTANCE_M / _FOCAL_PER_WIDTH
    means = random.uniform(-extent, extent, (gaussians, 3))
    means[:, 2] = random.uniform(-0.8, 0.8, gaussians)
    sigma_m = _SIGMA_PX_AT_128 / 128 * _DISTANCE_M / _FOCAL_PER_WIDTH
    viewmat = np.eye(4)
    viewmat[2, 3] = _DISTANCE_M
    focal = _FOCAL_PER_WIDTH * width
    return SplatScene(
        means=f32(means),
        quats=f32(random.normal(size=(gaussians, 4))),
        scales=f32(sigma_m * np.exp(0.5 * random.normal(size=(gaussians, 3)))),
        opacities=f32(random.uniform(0.1, 0.95, gaussians)),
        colors=f32(random.random((gaussians, 3))),
        viewmat=f32(viewmat),
        intrinsics=f32([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]),
        width=width,
        height=height,
    )
