"""The kernels through kernels_c_api.h: numpy arrays in, numpy arrays out, no copies."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
BEST_LEVEL, SCALAR_LEVEL = -1, 0


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    """The address of a C-contiguous array, which must outlive the call."""
    if not array.flags.c_contiguous:
        raise ValueError(f"an array of shape {array.shape} is not contiguous")
    return ctypes.c_void_p(array.ctypes.data)


def f32(array: Any) -> Floats:
    return np.ascontiguousarray(array, dtype=np.float32)


class _Scene(ctypes.Structure):
    _fields_ = (
        *[(name, ctypes.c_void_p) for name in ("means", "quats", "scales", "opacities", "colors")],
        ("viewmat", ctypes.c_void_p),
        ("intrinsics", ctypes.c_void_p),
        ("gaussians", ctypes.c_int64),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
    )


class _SceneGrads(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in ("means", "quats", "scales", "opacities", "colors"))


class _Norm(ctypes.Structure):
    _fields_ = (
        *[(name, ctypes.c_void_p) for name in ("x", "branch", "gate", "weight", "scale", "shift")],
        ("rows", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("residual", ctypes.c_void_p),
        ("out", ctypes.c_void_p),
    )


@dataclass(frozen=True)
class SplatScene:
    """means [N, 3] m, quats [N, 4], scales [N, 3] m, opacities [N], colors [N, 3]; one camera."""

    means: Floats
    quats: Floats
    scales: Floats
    opacities: Floats
    colors: Floats
    viewmat: Floats  # [4, 4] cam_from_world
    intrinsics: Floats  # [3, 3] px
    width: int
    height: int

    def native(self) -> _Scene:
        parts = (self.means, self.quats, self.scales, self.opacities, self.colors, self.viewmat)
        return _Scene(
            *[pointer(part) for part in (*parts, self.intrinsics)], len(self.means), self.width, self.height
        )


class Kernels:
    """One thread pool at one instruction set. Raises OSError when the library is not built."""

    def __init__(self, library: Path, threads: int, level: int = BEST_LEVEL) -> None:
        self.library = ctypes.CDLL(str(library))
        self.library.GwmBenchOpen.restype = ctypes.c_void_p
        self.library.GwmBenchLevel.restype = ctypes.c_char_p
        self.library.GwmBenchLevel.argtypes = [ctypes.c_void_p]
        self._context = ctypes.c_void_p(self.library.GwmBenchOpen(threads, level))
        if not self._context:
            raise ValueError(f"instruction set {level} does not run here")
        self.level = self.library.GwmBenchLevel(self._context).decode()

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self.library, name)(self._context, *arguments)
        if status != 0:
            raise RuntimeError(f"{name} gave status {status}")

    def fps(self, points: Floats, indices: Indices) -> Indices:
        """points [N, 3] -> indices [K], written."""
        sizes = ctypes.c_int64(len(points)), ctypes.c_int64(len(indices))
        self._call("GwmBenchFps", pointer(points), *sizes, pointer(indices))
        return indices

    def nearest(self, queries: Floats, targets: Floats, sqdist: Floats, index: Indices) -> None:
        """queries [B, N, 3], targets [B, M, 3] -> sqdist, index [B, N], written."""
        sizes = map(ctypes.c_int64, (len(queries), queries.shape[1], targets.shape[1]))
        self._call(
            "GwmBenchNearest", pointer(queries), pointer(targets), *sizes, pointer(sqdist), pointer(index)
        )

    def nearest_backward(
        self, queries: Floats, targets: Floats, index: Indices, grad: Floats, into: tuple[Floats, Floats]
    ) -> None:
        """grad [B, N] of the squared distances; accumulates into the gradients of (queries, targets)."""
        sizes = map(ctypes.c_int64, (len(queries), queries.shape[1], targets.shape[1]))
        arrays = (queries, targets, index, grad)
        self._call("GwmBenchNearestBackward", *map(pointer, arrays), *sizes, *map(pointer, into))

    def render(self, scene: SplatScene, rgb: Floats, alpha: Floats, depth: Floats) -> Floats:
        """rgb [H, W, 3], alpha and depth [H, W], written."""
        self._call("GwmBenchRender", ctypes.byref(scene.native()), *map(pointer, (rgb, alpha, depth)))
        return rgb

    def render_backward(self, scene: SplatScene, grad_rgb: Floats, into: list[Floats]) -> None:
        """After render of the same scene. into: gradients in the order of SplatScene, accumulated."""
        grads = _SceneGrads(*map(pointer, into))
        self._call(
            "GwmBenchRenderBackward", ctypes.byref(scene.native()), pointer(grad_rgb), ctypes.byref(grads)
        )

    def norm_modulate(self, arrays: list[Floats], residual: Floats, out: Floats) -> None:
        """arrays: x, branch [R, D], gate, weight, scale, shift [D]."""
        rows, width = arrays[0].shape
        norm = _Norm(*map(pointer, arrays), rows, width, pointer(residual), pointer(out))
        self._call("GwmBenchNormModulate", ctypes.byref(norm))
