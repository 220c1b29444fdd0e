"""Image metrics of imagined frames against real ones, pooled over everything that was added.

Images are f32 [..., H, W, 3] in [0, 1]. PSNR is that of the mean squared error over all frames together (the
mean of per-frame PSNRs reads several dB higher).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

CHANGED_THRESHOLD = 10  # of 255, in any channel
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


@dataclass
class PooledPsnr:
    """PSNR of the mean squared error over all values added."""

    squared: float = 0.0
    count: int = 0

    def add(self, predicted: Array, real: Array, mask: Array | None = None) -> None:
        """mask: bool [..., H, W], the pixels that count; None for all."""
        error = (predicted.astype(np.float64) - real.astype(np.float64)) ** 2
        chosen = error if mask is None else error[mask]
        self.squared += float(chosen.sum())
        self.count += chosen.size

    def value(self) -> float | None:
        """dB; None when nothing was added, 100 for a perfect match."""
        if self.count == 0:
            return None
        return min(100.0, -10 * math.log10(max(self.squared / self.count, 1e-10)))


@dataclass
class Mean:
    total: float = 0.0
    count: int = 0

    def add(self, values: Array) -> None:
        self.total += float(values.sum())
        self.count += values.size

    def value(self) -> float | None:
        return self.total / self.count if self.count else None


def changed_pixels(before: Array, after: Array) -> Array:
    """bool [..., H, W]: any channel differs by more than 10 of 255. Both u8 [..., H, W, 3]."""
    difference = np.abs(before.astype(np.int16) - after.astype(np.int16))
    return np.asarray((difference > CHANGED_THRESHOLD).any(axis=-1))


def ssim(a: Array, b: Array) -> Array:
    """Structural similarity of each pair: f64 [n] for images [n, H, W, 3].

    Gaussian window of 11 x 11, sigma 1.5, population covariance, averaged over channels and over the pixels
    where the window fits (the usual definition, that of scikit-image).
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    var_x = _blur(x * x) - mean_x**2
    var_y = _blur(y * y) - mean_y**2
    cov = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * cov + _C2) / (var_x + var_y + _C2)
    return np.asarray((luminance * structure).mean(axis=(1, 2, 3)))


def _blur(images: Array) -> Array:
    """Separable Gaussian filter over axes 1 and 2, without the borders: [n, H - 10, W - 10, C]."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    for axis in (1, 2):
        windows = np.lib.stride_tricks.sliding_window_view(images, _WINDOW, axis=axis)
        images = windows @ weights
    return images


@dataclass
class HorizonMetrics:
    """Everything that the report says about one horizon."""

    whole: PooledPsnr = field(default_factory=PooledPsnr)
    whole_repeat: PooledPsnr = field(default_factory=PooledPsnr)
    changed: PooledPsnr = field(default_factory=PooledPsnr)
    changed_repeat: PooledPsnr = field(default_factory=PooledPsnr)
    changed_shuffled: PooledPsnr = field(default_factory=PooledPsnr)
    similarity: Mean = field(default_factory=Mean)
    similarity_repeat: Mean = field(default_factory=Mean)
    depth_error: Mean = field(default_factory=Mean)

    def add(
        self,
        *,
        rgb: Array,
        shuffled_rgb: Array,
        depth_m: Array,
        start: Array,
        real: Array,
        real_depth_mm: Array,
    ) -> None:
        """n frames: rgb and shuffled_rgb f32, start and real u8 [n, H, W, 3]; depths [n, H, W]."""
        target, repeated = real.astype(np.float32) / 255, start.astype(np.float32) / 255
        mask = changed_pixels(start, real)
        self.whole.add(rgb, target)
        self.whole_repeat.add(repeated, target)
        self.changed.add(rgb, target, mask)
        self.changed_repeat.add(repeated, target, mask)
        self.changed_shuffled.add(shuffled_rgb, target, mask)
        self.similarity.add(ssim(rgb, target))
        self.similarity_repeat.add(ssim(repeated, target))
        hit = real_depth_mm > 0
        self.depth_error.add(np.abs(depth_m[hit] - real_depth_mm[hit] / 1000.0))

    def report(self) -> dict[str, float | None]:
        return {
            "psnr": self.whole.value(),
            "psnr_repeat_last": self.whole_repeat.value(),
            "psnr_changed": self.changed.value(),
            "psnr_changed_repeat_last": self.changed_repeat.value(),
            "psnr_changed_shuffled": self.changed_shuffled.value(),
            "ssim": self.similarity.value(),
            "ssim_repeat_last": self.similarity_repeat.value(),
            "depth_mae_m": self.depth_error.value(),
        }
