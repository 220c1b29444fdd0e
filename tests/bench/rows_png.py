"""C13: PNG files of rendered frames."""

from __future__ import annotations

import ctypes
import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.ceilings import Ceilings
from bench.clouds import splat_scene
from bench.contest import Contest, Limit, Outputs, run
from bench.native import Kernels, pointer
from bench.result import Result
from bench.rows_raster import Renderer
from bench.settings import THREADS, Settings

_SIDE = 128
_CAPACITY = 1 << 20
_MAX_BYTES_RATIO = 1.25
_LIMIT_S = 0.05e-3


class Encoders:
    """Both encoders on one image u8 [H, W, 3]; each gives the bytes of a file."""

    def __init__(self, library: ctypes.CDLL, pixels: NDArray[np.uint8]) -> None:
        self._library, self._pixels = library, pixels
        self._out = np.empty(_CAPACITY, np.uint8)
        library.GwmBenchImage.restype = ctypes.c_void_p
        for name in ("GwmBenchPng", "GwmBenchLibpng"):
            getattr(library, name).restype = ctypes.c_int64
        self._sides = ctypes.c_int(pixels.shape[1]), ctypes.c_int(pixels.shape[0])
        self._image = ctypes.c_void_p(library.GwmBenchImage(pointer(pixels), *self._sides))

    def _file(self, count: int) -> bytes:
        if count < 0:
            raise RuntimeError("the encoder failed")
        return self._out[:count].tobytes()

    def ours(self) -> bytes:
        capacity = ctypes.c_int64(_CAPACITY)
        return self._file(self._library.GwmBenchPng(self._image, pointer(self._out), capacity))

    def libpng(self) -> bytes:
        arguments = (pointer(self._pixels), *self._sides, pointer(self._out), ctypes.c_int64(_CAPACITY))
        return self._file(self._library.GwmBenchLibpng(*arguments))


def measure_png(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """A frame full of small splats: hard to compress, as rendered frames are."""
    kernels = Kernels(settings.library("gwm_bench_kernels"), THREADS)
    rgb = Renderer(kernels, splat_scene(16_384, _SIDE, _SIDE)).forward()
    pixels = np.ascontiguousarray(np.clip(np.round(rgb * 255), 0, 255).astype(np.uint8))
    encoders = Encoders(kernels.library, pixels)

    def check() -> Outputs:
        decoded = [np.asarray(Image.open(io.BytesIO(file))) for file in (encoders.ours(), encoders.libpng())]
        equal = all((image == pixels).all() for image in decoded)
        return Outputs(
            equal, "both files decode to the pixels" if equal else "a file decodes to other pixels"
        )

    result = run(
        Contest(
            row=row,
            case=f"{_SIDE}^2 RGB",
            ours=encoders.ours,
            baseline=encoders.libpng,
            baseline_name="libpng, defaults",
            check=check,
            target=20.0,
            target_text=f">= 20x at <= {_MAX_BYTES_RATIO:g}x bytes",
            limit=Limit(ceilings.scaled(_LIMIT_S), "1 GB/s of entropy coding, table of the specification"),
            reason="the product's encoder is libpng at its default filters and level; deflate takes the time",
            dtype="u8 / u8",
            settings="1 thread each",
        ),
        settings,
    )
    sizes = {"bytes_ours": len(encoders.ours()), "bytes_baseline": len(encoders.libpng())}
    result.extra = {**sizes, "bytes_ratio": sizes["bytes_ours"] / sizes["bytes_baseline"]}
    if result.met and result.extra["bytes_ratio"] > _MAX_BYTES_RATIO:
        result.met, result.reason = False, f"{result.extra['bytes_ratio']:.2f} times the bytes of libpng"
    yield result
