"""The baseline of the raster rows: gsplat's projection in plain Torch, then compositing per pixel in Torch.

Two forms: every pixel against every Gaussian (dense), and tile by tile against those whose box touches the
tile (tiled), which is what a careful author would write.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench.native import SplatScene

TILE = 16
DENSE_PIXELS = 256
MAX_ALPHA = 0.999
MIN_ALPHA = 1 / 255
MIN_TRANSMITTANCE = 1e-4


@dataclass(frozen=True)
class Leaves:
    """The inputs of a render as tensors, in the order of SplatScene."""

    means: torch.Tensor
    quats: torch.Tensor
    scales: torch.Tensor
    opacities: torch.Tensor
    colors: torch.Tensor

    @staticmethod
    def of(scene: SplatScene, *, gradients: bool = False) -> Leaves:
        arrays = (scene.means, scene.quats, scene.scales, scene.opacities, scene.colors)
        return Leaves(*[torch.from_numpy(array.copy()).requires_grad_(gradients) for array in arrays])

    def all(self) -> list[torch.Tensor]:
        return [self.means, self.quats, self.scales, self.opacities, self.colors]


@dataclass(frozen=True)
class Splats:
    """Visible Gaussians on the screen, front to back."""

    means2d: torch.Tensor  # [N, 2] px
    conics: torch.Tensor  # [N, 3]
    radii: torch.Tensor  # [N, 2] px
    opacities: torch.Tensor  # [N]
    colors: torch.Tensor  # [N, 3]


@dataclass(frozen=True)
class View:
    """viewmat [4, 4] cam_from_world, intrinsics [3, 3] px; eps2d: px^2 added to the screen covariance."""

    viewmat: torch.Tensor
    intrinsics: torch.Tensor
    width: int
    height: int
    eps2d: float = 0.3

    @staticmethod
    def of(scene: SplatScene) -> View:
        matrices = torch.from_numpy(scene.viewmat), torch.from_numpy(scene.intrinsics)
        return View(*matrices, scene.width, scene.height)


def project(leaves: Leaves, view: View) -> Splats:
    """gsplat's own functions."""
    from gsplat.cuda._torch_impl import _fully_fused_projection, _quat_scale_to_covar_preci

    covars, _ = _quat_scale_to_covar_preci(leaves.quats, leaves.scales, compute_preci=False)
    radii, means2d, depths, conics, _ = _fully_fused_projection(
        leaves.means, covars, view.viewmat[None], view.intrinsics[None], view.width, view.height, view.eps2d
    )
    order = torch.argsort(depths[0].detach(), stable=True)
    order = order[(radii[0, order] > 0).all(-1)]
    return Splats(
        means2d[0, order], conics[0, order], radii[0, order], leaves.opacities[order], leaves.colors[order]
    )


def _blend(
    splats: Splats, x: torch.Tensor, y: torch.Tensor, background: torch.Tensor | None = None
) -> torch.Tensor:
    """Colours of the pixels with centres (x, y) [P] -> [P, 3]; the formula of kernels/raster.h."""
    dx = x[:, None] - splats.means2d[:, 0]
    dy = y[:, None] - splats.means2d[:, 1]
    xx, xy, yy = splats.conics.unbind(-1)
    sigma = 0.5 * (xx * dx * dx + yy * dy * dy) + xy * dx * dy
    alpha = (splats.opacities * torch.exp(-sigma)).clamp_max(MAX_ALPHA)
    alpha = torch.where((sigma < 0) | (alpha < MIN_ALPHA), torch.zeros_like(alpha), alpha)
    behind = torch.cumprod(1 - alpha, dim=1)
    before = torch.cat([torch.ones_like(behind[:, :1]), behind[:, :-1]], 1)
    weights = torch.where(behind > MIN_TRANSMITTANCE, alpha * before, torch.zeros_like(alpha))
    colours = weights @ splats.colors
    return colours if background is None else colours + (1 - weights.sum(1, keepdim=True)) * background


def _touching(splats: Splats, left: int, top: int) -> Splats:
    """Those whose box reaches into the tile at (left, top)."""
    centre = torch.tensor([left + TILE / 2, top + TILE / 2])
    near = ((splats.means2d.detach() - centre).abs() < splats.radii + TILE / 2).all(-1)
    chosen = near.nonzero()[:, 0]
    return Splats(
        splats.means2d[chosen],
        splats.conics[chosen],
        splats.radii[chosen],
        splats.opacities[chosen],
        splats.colors[chosen],
    )


def composite_tiled(
    splats: Splats, width: int, height: int, background: torch.Tensor | None = None
) -> torch.Tensor:
    """[H, W, 3]; width and height are multiples of TILE. background: [3], None is black."""
    offset = torch.arange(TILE) + 0.5
    rows = []
    for top in range(0, height, TILE):
        tiles = []
        for left in range(0, width, TILE):
            x = (left + offset).repeat(TILE)
            y = (top + offset).repeat_interleave(TILE)
            tile = _blend(_touching(splats, left, top), x, y, background)
            tiles.append(tile.reshape(TILE, TILE, 3))
        rows.append(torch.cat(tiles, 1))
    return torch.cat(rows, 0)


def composite_dense(splats: Splats, width: int, height: int) -> torch.Tensor:
    """[H, W, 3]: every pixel against every Gaussian, DENSE_PIXELS pixels at a time."""
    pixel = torch.arange(width * height)
    x, y = (pixel % width) + 0.5, (pixel // width) + 0.5
    parts = [
        _blend(splats, x[begin : begin + DENSE_PIXELS], y[begin : begin + DENSE_PIXELS])
        for begin in range(0, width * height, DENSE_PIXELS)
    ]
    return torch.cat(parts).reshape(height, width, 3)
