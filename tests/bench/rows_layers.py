"""C8, C11, C12: what a transformer block is made of, as the engine runs it and as Torch does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.nn import functional

from bench.ceilings import Ceilings
from bench.contest import Contest, Limit, Outputs, run
from bench.measure import seconds_of
from bench.native import Floats, Kernels
from bench.native_engine import Engine, Linear
from bench.result import Result
from bench.settings import SEED, THREADS, Settings

TOKENS = 512
# name, in, out: the linear layers of a block of width 384.
_SHAPES = (("qkv", 384, 1152), ("out", 384, 384), ("up", 384, 1536), ("down", 1536, 384), ("kv", 384, 768))
_HEADS, _HEAD_DIM = 6, 64
_LINEAR_REASON = "the engine calls torch::linear, which packs f32 weights anew in every call"


def random_array(*shape: int, seed: int) -> Floats:
    return np.random.default_rng([SEED, seed]).standard_normal(shape, dtype=np.float32)


def close_to(ours: Floats, theirs: Floats, tolerance: float) -> Outputs:
    """Largest difference, relative to the largest value of the reference."""
    worst = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return Outputs(
        worst <= tolerance, f"largest difference {worst:.2g} of the largest value, allowed {tolerance:g}"
    )


def inference(call: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    def wrapped() -> torch.Tensor:
        with torch.inference_mode():
            return call()

    return wrapped


def _candidates(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> dict[str, Callable[[], torch.Tensor]]:
    """Ways of Torch to multiply in f32, the last two with weights packed once."""
    rows = len(x)
    onednn = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    ways = {
        "eager": inference(lambda: functional.linear(x, weight, bias)),
        "oneDNN prepacked": inference(
            lambda: torch.ops.mkldnn._linear_pointwise(x, onednn, bias, "none", [], "")
        ),
    }
    if torch.backends.mkl.is_available():
        mkl = torch.ops.mkl._mkl_reorder_linear_weight(weight, rows)
        ways["MKL prepacked"] = inference(lambda: torch.ops.mkl._mkl_linear(x, mkl, weight, bias, rows))
    return ways


def _fastest(ways: dict[str, Callable[[], torch.Tensor]]) -> str:
    def seconds(name: str) -> float:
        ways[name]()
        return min(seconds_of(ways[name], 5) for _ in range(10))

    return min(ways, key=seconds)


def measure_linear(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """C8: each layer beside the best of Torch in f32, and beside Torch in bf16."""
    torch.set_num_threads(THREADS)
    engine = Engine(settings.library("gwm_bench_engine"))
    for index, (name, inputs, outputs) in enumerate(_SHAPES):
        x = random_array(TOKENS, inputs, seed=20 + index)
        weight = random_array(outputs, inputs, seed=30 + index) / np.float32(inputs**0.5)
        bias = random_array(outputs, seed=40 + index)
        ours = Linear(engine, weight, bias)
        tensors = [torch.from_numpy(array) for array in (x, weight, bias)]
        ways = _candidates(*tensors)
        best = _fastest(ways)
        half = [tensor.bfloat16() for tensor in tensors]
        ways["bf16"] = inference(lambda half=half: functional.linear(*half))
        flops = 2 * TOKENS * inputs * outputs
        for way, target in ((best, 0.85), ("bf16", None)):
            is_half = way == "bf16"
            result = run(
                Contest(
                    row=row,
                    case=f"{name} {inputs} -> {outputs}, {TOKENS} tokens",
                    ours=lambda ours=ours, x=x: ours.run(x),
                    baseline=ways[way],
                    baseline_name="torch eager" if is_half else f"torch {way}",
                    check=lambda ours=ours, x=x, call=ways[way], tolerance=3e-2 if is_half else 1e-5: (
                        close_to(ours.run(x), call().float().numpy(), tolerance)
                    ),
                    target=target,
                    target_text="" if target is None else ">= 85 % of the best of eager and prepacked",
                    limit=Limit(
                        flops / ceilings.best_flops, "the faster of the two measured matrix ceilings"
                    ),
                    reason=_LINEAR_REASON if target else "ours ran in f32 here",
                    unit="us",
                    dtype="f32 / bf16" if is_half else "f32 / f32",
                    settings=f"torch {THREADS} threads, inference mode",
                    repeats=10,
                ),
                settings,
            )
            result.extra = {"gflops": None if result.ours is None else flops / result.ours / 1e3}
            yield result


def _unfused(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    logits = q @ k.transpose(-1, -2) / q.size(-1) ** 0.5
    return torch.softmax(logits, -1) @ v


def measure_attention(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """C11: 512 x 512, 6 heads of 64."""
    torch.set_num_threads(THREADS)
    engine = Engine(settings.library("gwm_bench_engine"))
    arrays = [random_array(1, _HEADS, TOKENS, _HEAD_DIM, seed=50 + i) for i in range(3)]
    tensors = [torch.from_numpy(array) for array in arrays]
    flops = 4 * _HEADS * TOKENS * TOKENS * _HEAD_DIM
    baselines = {
        "ATen SDPA": inference(lambda: functional.scaled_dot_product_attention(*tensors)),
        "torch, unfused": inference(lambda: _unfused(*tensors)),
    }
    for name, baseline in baselines.items():
        yield run(
            Contest(
                row=row,
                case=f"{TOKENS} x {TOKENS}, {_HEADS} heads x {_HEAD_DIM}",
                ours=lambda: engine.attention(*arrays),
                baseline=baseline,
                baseline_name=name,
                check=lambda baseline=baseline: close_to(engine.attention(*arrays), baseline().numpy(), 1e-5),
                target=2.0,
                limit=Limit(flops / ceilings.best_flops, "the faster of the two measured matrix ceilings"),
                reason="the engine calls the same SDPA of ATen: 1 by construction"
                if name == "ATen SDPA"
                else "SDPA in f32 is bound by the matrix products and the exponential",
                unit="us",
                settings=f"torch {THREADS} threads, inference mode",
                repeats=5,
            ),
            settings,
        )


def measure_norm(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """C12: gated residual, RMSNorm, shift and scale over [512, 384]."""
    torch.set_num_threads(THREADS)
    kernels = Kernels(settings.library("gwm_bench_kernels"), THREADS)
    width = 384
    arrays = [random_array(TOKENS, width, seed=60 + i) for i in range(2)]
    arrays += [random_array(width, seed=62 + i) for i in range(4)]
    x, branch, gate, weight, scale, shift = (torch.from_numpy(array) for array in arrays)
    residual, out = np.empty((2, TOKENS, width), np.float32)

    def baseline() -> torch.Tensor:
        h = x + gate * branch
        return functional.rms_norm(h, (width,), weight, 1e-6) * (1 + scale) + shift

    def ours() -> Floats:
        kernels.norm_modulate(arrays, residual, out)
        return out

    bytes_moved = 4 * 4 * TOKENS * width
    yield run(
        Contest(
            row=row,
            case=f"{TOKENS} x {width}",
            ours=ours,
            baseline=inference(baseline),
            baseline_name="torch eager ops",
            check=lambda: close_to(ours(), inference(baseline)().numpy(), 1e-5),
            target=6.0,
            limit=Limit(
                bytes_moved / (2 * ceilings.read_bytes),
                "3 MB at twice the speed of memory: the level-2 cache",
            ),
            reason="3 MB of arrays, more than the level-2 cache holds: the speed of the level-3 cache",
            unit="us",
            settings=f"{kernels.level}, {THREADS} threads; torch {THREADS} threads, inference mode",
            repeats=20,
        ),
        settings,
    )
