"""Pieces of the engine through engine_c_api.cc. Import torch first: both sides share its libraries."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.native import Floats, pointer


class Engine:
    """Results are views of memory that lives until the next call of the same kind."""

    def __init__(self, library: Path) -> None:
        torch.set_num_threads(torch.get_num_threads())  # libtorch_cpu is loaded by now
        self._library = ctypes.CDLL(str(library))
        self._library.GwmBenchEngineError.restype = ctypes.c_char_p
        for name in ("LinearOpen", "LinearRun", "Attention", "ModelOpen", "ModelPrepare", "ModelDenoise"):
            getattr(self._library, f"GwmBench{name}").restype = ctypes.c_void_p

    def call(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """Raises RuntimeError with the engine's message."""
        result = getattr(self._library, name)(*arguments)
        if not result:
            raise RuntimeError(self._library.GwmBenchEngineError().decode())
        return ctypes.c_void_p(result)

    def attention(self, q: Floats, k: Floats, v: Floats) -> Floats:
        """[1, heads, M, d] each -> the same shape."""
        sizes = map(ctypes.c_int64, q.shape[1:])
        return view(self.call("GwmBenchAttention", *map(pointer, (q, k, v)), *sizes), q.shape)


class Linear:
    """A RowLinear layer with the given weights [out, in] and bias [out]."""

    def __init__(self, engine: Engine, weight: Floats, bias: Floats) -> None:
        self._engine, self._out = engine, len(weight)
        sizes = ctypes.c_int64(weight.shape[1]), ctypes.c_int64(len(weight))
        self._handle = engine.call("GwmBenchLinearOpen", pointer(weight), pointer(bias), *sizes)

    def run(self, x: Floats) -> Floats:
        """[rows, in] -> [rows, out]"""
        rows = len(x)
        result = self._engine.call("GwmBenchLinearRun", self._handle, pointer(x), ctypes.c_int64(rows))
        return view(result, (rows, self._out))


class Denoiser:
    """The dynamics of a checkpoint."""

    def __init__(self, engine: Engine, checkpoint: Path) -> None:
        self._engine = engine
        self._handle = engine.call("GwmBenchModelOpen", str(checkpoint).encode())

    def prepare(self, context: Floats, velocity: Floats, actions: Floats, centres: Floats) -> None:
        """context [C, M, L], velocity [M, L], actions [K, A], centres [M, 3]"""
        arrays = map(pointer, (context, velocity, actions, centres))
        self._engine.call("GwmBenchModelPrepare", self._handle, *arrays)

    def denoise(self, x: Floats, sigma: float) -> Floats:
        """[M, L] -> the denoised target [M, L]"""
        result = self._engine.call("GwmBenchModelDenoise", self._handle, pointer(x), ctypes.c_float(sigma))
        return view(result, x.shape)


def view(address: ctypes.c_void_p, shape: tuple[int, ...]) -> Floats:
    floats = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(floats, shape)
