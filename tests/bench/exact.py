"""Plain references that the outputs of fast code must equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.native import Floats, Indices


def farthest_points(points: Floats, samples: int) -> Indices:
    """The definition of kernels/fps.h in f32, axis by axis; the lowest index on ties. [N, 3] -> [K]"""
    x, y, z = (np.ascontiguousarray(points[:, axis]) for axis in range(3))
    nearest = np.full(len(points), np.inf, np.float32)
    picked = np.zeros(samples, np.int64)
    for sample in range(1, samples):
        last = picked[sample - 1]
        distance = (x - x[last]) ** 2
        distance += (y - y[last]) ** 2
        distance += (z - z[last]) ** 2
        np.minimum(nearest, distance, out=nearest)
        picked[sample] = np.argmax(nearest)
    return picked


def nearest_squares(queries: Floats, targets: Floats, block: int = 512) -> NDArray[np.float64]:
    """Squared distance of every query [N, 3] to its nearest target [M, 3], in f64, by brute force."""
    out = np.empty(len(queries))
    wide = targets.astype(np.float64)
    for begin in range(0, len(queries), block):
        part = queries[begin : begin + block].astype(np.float64)
        squares = sum((part[:, None, axis] - wide[None, :, axis]) ** 2 for axis in range(3))
        out[begin : begin + block] = squares.min(1)
    return out


def relative_difference(value: float, reference: float) -> float:
    return abs(value - reference) / max(abs(reference), 1e-30)


def psnr_db(a: Floats, b: Floats) -> float:
    """Of two images in [0, 1]; infinite when they are the same."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else -10 * float(np.log10(error))
