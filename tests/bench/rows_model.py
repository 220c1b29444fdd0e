"""C9: one evaluation of the shipped denoiser beside the same model in Torch, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from bench.ceilings import Ceilings
from bench.contest import Contest, Limit, Outputs, run
from bench.native import Floats
from bench.native_engine import Denoiser, Engine
from bench.result import Result, skipped
from bench.rows_layers import close_to, inference
from bench.settings import SEED, THREADS, Settings
from bench.torch_dynamics import Condition, Dynamics, load_config, load_part

_SIGMA = 1.0
# f32 against f32, through six blocks.
_TOLERANCE = 1e-4
# Of Torch's own bf16.
_HALF_TOLERANCE = 3e-2


@dataclass(frozen=True)
class Inputs:
    """One row: context [C, M, L], velocity [M, L], actions [K, A], centres [M, 3] m, x [M, L]."""

    context: Floats
    velocity: Floats
    actions: Floats
    centres: Floats
    x: Floats

    @staticmethod
    def draw(config: dict[str, object]) -> Inputs:
        """Seeded latents of the model's own spread, centres before a camera."""
        random = np.random.default_rng([SEED, 9])
        shape: dict[str, int] = config["dynamics"]  # type: ignore[assignment]
        tokenizer: dict[str, int] = config["tokenizer"]  # type: ignore[assignment]
        frames = shape["context_frames"] + int(shape["remember_reset"])
        tokens, latent = tokenizer["tokens"], tokenizer["latent_dim"]

        def normal(*sizes: int) -> Floats:
            return 0.5 * random.standard_normal(sizes, dtype=np.float32)

        actions = random.uniform(-1, 1, (shape["action_history"], int(config["action_dim"])))  # type: ignore[call-overload]
        return Inputs(
            normal(frames, tokens, latent),
            normal(tokens, latent),
            actions.astype(np.float32),
            normal(tokens, 3) + np.float32(0.5),
            normal(tokens, latent),
        )

    def tensors(self, dtype: torch.dtype) -> list[torch.Tensor]:
        arrays = (self.context, self.velocity, self.actions, self.centres)
        return [torch.from_numpy(array)[None].to(dtype) for array in arrays]


def flops_of(dynamics: Dynamics, tokens: int) -> float:
    """Of one evaluation for one row: products with weights, and attention over context and tokens."""
    per_token = sum(
        parameter.numel()
        for name, parameter in dynamics.named_parameters()
        if parameter.dim() == 2
        and not any(
            skip in name for skip in ("context", "cross_kv", "modulation", "embed", "position", "place")
        )
    )
    frames = len(dynamics.frame_embed) + 1
    attention = 2 * tokens * frames * tokens * dynamics.config["width"] * dynamics.config["depth"]
    return 2.0 * (per_token * tokens + attention)


def _torch_ways(
    settings: Settings, dynamics: Dynamics, inputs: Inputs
) -> dict[str, Callable[[], torch.Tensor]]:
    """Torch eager in both types and compiled: max-autotune with frozen weights."""
    x, sigma = torch.from_numpy(inputs.x)[None], torch.tensor([_SIGMA])
    with torch.inference_mode():
        condition = dynamics.prepare(*inputs.tensors(torch.float32))
    ways = {
        "eager f32": inference(lambda: dynamics(x, sigma, condition)),
        "eager bf16 autocast": inference(lambda: _autocast(dynamics, x, sigma, condition)),
    }
    if not settings.quick:
        torch._inductor.config.freezing = True
        compiled = torch.compile(dynamics, mode="max-autotune")

        def frozen() -> torch.Tensor:
            with torch.no_grad():
                return compiled(x, sigma, condition)  # type: ignore[no-any-return]

        ways["compile max-autotune, frozen"] = frozen
    return ways


def _autocast(dynamics: Dynamics, x: torch.Tensor, sigma: torch.Tensor, condition: Condition) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        result: torch.Tensor = dynamics(x, sigma, condition)
    return result


def _f64(settings: Settings, inputs: Inputs) -> Floats:
    torch.set_default_dtype(torch.float64)
    dynamics = Dynamics(load_config(settings.checkpoint))
    torch.set_default_dtype(torch.float32)
    load_part(settings.checkpoint, "dynamics", dynamics)
    dynamics.double()
    with torch.inference_mode():
        condition = dynamics.prepare(*inputs.tensors(torch.float64))
        x = torch.from_numpy(inputs.x)[None].double()
        result: Floats = dynamics(x, torch.tensor([_SIGMA], dtype=torch.float64), condition)[0].numpy()
    return result


def _check(ours: Floats, baseline: torch.Tensor, reference: Floats, *, half: bool) -> Outputs:
    mine = close_to(ours, reference, _TOLERANCE)
    theirs = close_to(baseline[0].float().numpy(), reference, _HALF_TOLERANCE if half else _TOLERANCE)
    text = f"against the model in f64: ours {mine.text}; baseline {theirs.text}"
    return Outputs(mine.equal and theirs.equal, text)


def measure_denoiser(row: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """Keys and values of context and actions are prepared once on both sides and are not timed."""
    torch.set_num_threads(THREADS)
    config = load_config(settings.checkpoint)
    if config["tokenizer"]["kind"] != "grid":
        yield skipped(row, "", "the Torch model knows the grid tokenizer's layout only")
        return
    inputs = Inputs.draw(config)
    dynamics = Dynamics(config)
    load_part(settings.checkpoint, "dynamics", dynamics)
    denoiser = Denoiser(Engine(settings.library("gwm_bench_engine")), settings.checkpoint)
    denoiser.prepare(inputs.context, inputs.velocity, inputs.actions, inputs.centres)
    reference = _f64(settings, inputs)
    ways = _torch_ways(settings, dynamics, inputs)
    limit_s = flops_of(dynamics, len(inputs.x)) / ceilings.best_flops
    for name, baseline in ways.items():
        compiled, half = "compile" in name, "bf16" in name
        yield run(
            Contest(
                row=row,
                case=f"{config['profile']}, {len(inputs.x)} tokens, 1 row",
                ours=lambda: denoiser.denoise(inputs.x, _SIGMA),
                baseline=baseline,
                baseline_name=f"torch {name}",
                check=lambda baseline=baseline, half=half: _check(
                    denoiser.denoise(inputs.x, _SIGMA), baseline(), reference, half=half
                ),
                target=1.1 if compiled else 1.3,
                limit=Limit(limit_s, "all products at the faster of the two measured matrix ceilings"),
                reason="64 tokens a row: the products are small, and calls between them cost as much; "
                "a compiler saves those, the engine runs operation after operation",
                dtype="f32 / bf16" if half else "f32 / f32",
                settings=f"torch {THREADS} threads, "
                + ("no_grad, freezing" if compiled else "inference mode"),
                repeats=3,
            ),
            settings,
        )
