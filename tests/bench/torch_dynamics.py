"""The denoiser of the shipped model in plain Torch: the baseline of C9 and a part of that of C10."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from bench.torch_layers import (
    Mlp,
    RmsNorm,
    contract,
    fourier,
    merge_heads,
    modulate,
    rope,
    rotate,
    split_heads,
    time_features,
)

_NOISE_FEATURES = 64
_BANDS = 6


@dataclass(frozen=True)
class Condition:
    """What does not depend on the noise: keys and values per block, and embeddings."""

    turn: tuple[Tensor, Tensor]
    context: list[tuple[Tensor, Tensor]]  # keys, values [B, heads, C * M, d]
    actions: list[tuple[Tensor, Tensor]]  # keys, values [B, heads, K + 1, d]
    pooled_action: Tensor  # [B, D]
    current: Tensor  # [B, M, L]
    velocity: Tensor  # [B, M, L]
    position: Tensor  # [B, M, D]


class Block(nn.Module):
    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.context_kv = nn.Linear(width, 2 * width, bias=False)
        self.cross_q = nn.Linear(width, width, bias=False)
        self.cross_kv = nn.Linear(width, 2 * width, bias=False)
        self.cross_out = nn.Linear(width, width)
        self.modulation = nn.Linear(width, 6 * width)
        self.norm1, self.norm2, self.norm3 = (RmsNorm(width) for _ in range(3))
        self.q_norm, self.k_norm, self.context_k_norm = (RmsNorm(width // heads) for _ in range(3))
        self.mlp = Mlp(width, mlp_ratio * width, width)

    def forward(self, x: Tensor, conditioning: Tensor, condition: Condition, index: int) -> Tensor:
        """x [B, M, D], conditioning [B, D]"""
        m = self.modulation(conditioning).chunk(6, -1)
        q, k, v = (
            split_heads(part, self.heads)
            for part in self.qkv(modulate(self.norm1(x), m[0], m[1])).chunk(3, -1)
        )
        q, k = rotate(self.q_norm(q), condition.turn), rotate(self.k_norm(k), condition.turn)
        keys, values = condition.context[index]
        seen = functional.scaled_dot_product_attention(q, torch.cat([k, keys], 2), torch.cat([v, values], 2))
        x = x + m[2][:, None] * self.out(merge_heads(seen))
        q = split_heads(self.cross_q(self.norm2(x)), self.heads)
        told = functional.scaled_dot_product_attention(q, *condition.actions[index])
        x = x + self.cross_out(merge_heads(told))
        return x + m[5][:, None] * self.mlp(modulate(self.norm3(x), m[3], m[4]))

    def keys_and_values(
        self, context: Tensor, turn: tuple[Tensor, Tensor], actions: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Of the context tokens and of the action tokens."""
        k, v = (split_heads(part, self.heads) for part in self.context_kv(context).chunk(2, -1))
        told = self.cross_kv(actions).chunk(2, -1)
        return (rotate(self.context_k_norm(k), turn), v), (
            split_heads(told[0], self.heads),
            split_heads(told[1], self.heads),
        )


class Dynamics(nn.Module):
    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        shape, latent = config["dynamics"], config["tokenizer"]["latent_dim"]
        width = shape["width"]
        self.config, self.sigma_data = shape, config["diffusion"]["sigma_data"]
        self.input = nn.Linear(3 * latent, width)
        self.context_input = nn.Linear(latent, width)
        self.position = nn.Linear(6 * _BANDS + 3, width)
        self.noise_embed = Mlp(_NOISE_FEATURES, width, width)
        self.action_embed = Mlp(config["action_dim"], width, width)
        frames = shape["context_frames"] + int(shape["remember_reset"])
        self.frame_embed = nn.Parameter(torch.zeros(frames, width))
        self.action_place = nn.Parameter(torch.zeros(shape["action_history"], width))
        self.null_action = nn.Parameter(torch.zeros(1, width))
        for index in range(shape["depth"]):
            self.add_module(f"block{index}", Block(width, shape["heads"], shape["mlp_ratio"]))
        self.context_norm, self.final_norm = RmsNorm(width), RmsNorm(width)
        self.final_modulation = nn.Linear(width, 2 * width)
        self.final = nn.Linear(width, latent)

    @property
    def blocks(self) -> list[Block]:
        return [getattr(self, f"block{index}") for index in range(self.config["depth"])]

    def prepare(self, context: Tensor, velocity: Tensor, actions: Tensor, centres: Tensor) -> Condition:
        """context [B, C, M, L], velocity [B, M, L], actions [B, K, A], centres [B, M, 3] m."""
        batch, frames, tokens, _ = context.shape
        head_dim = self.config["width"] // self.config["heads"]
        near = contract(centres * 0.5)
        turn = rope(near * (2 * self.config["rope_units_per_m"]), head_dim, self.config["rope_base"])
        position = self.position(fourier(near, _BANDS))
        seen = self.context_input(context) + self.frame_embed[:, None] + position[:, None]
        seen = self.context_norm(seen.reshape(batch, frames * tokens, -1))
        context_turn = (turn[0].repeat(1, 1, frames, 1), turn[1].repeat(1, 1, frames, 1))
        told = self.action_embed(actions) + self.action_place
        tokens_told = torch.cat([told, self.null_action.expand(batch, 1, -1)], 1)
        pairs = [block.keys_and_values(seen, context_turn, tokens_told) for block in self.blocks]
        return Condition(
            turn,
            [a for a, _ in pairs],
            [b for _, b in pairs],
            told[:, -1],
            context[:, -1],
            velocity,
            position,
        )

    def forward(self, x: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """The denoised target for x [B, M, L] at sigma [B]."""
        total = (sigma**2 + self.sigma_data**2)[:, None, None]
        wide = sigma[:, None, None]
        conditioning = self.noise_embed(time_features(sigma.log() / 4 * 100.0, _NOISE_FEATURES))
        conditioning = functional.silu(conditioning + condition.pooled_action)
        seen = torch.cat([x * total.rsqrt(), condition.current, condition.velocity], -1)
        h = self.input(seen) + condition.position
        for index, block in enumerate(self.blocks):
            h = block(h, conditioning, condition, index)
        m = self.final_modulation(conditioning).chunk(2, -1)
        prediction = self.final(modulate(self.final_norm(h), m[0], m[1]))
        return self.sigma_data**2 / total * x + wide * self.sigma_data * total.rsqrt() * prediction


def load_config(checkpoint: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((checkpoint / "config.json").read_text())
    return config


def load_part(checkpoint: Path, part: str, module: nn.Module) -> nn.Module:
    """Weights of "dynamics", "tokenizer", "reward" or "error" in f32; every one must fit."""
    weights = load_file(checkpoint / "model.safetensors")
    own = {
        name[len(part) + 1 :]: value.float() for name, value in weights.items() if name.startswith(part + ".")
    }
    module.load_state_dict(own)
    return module.eval()


def sigmas(config: dict[str, Any], levels: int) -> list[float]:
    """EDM's noise levels, ended by 0."""
    d = config["diffusion"]
    if levels == 1:
        return [d["sigma_max"], 0.0]
    low, high = d["sigma_min"] ** (1 / d["rho"]), d["sigma_max"] ** (1 / d["rho"])
    return [(high + i / (levels - 1) * (low - high)) ** d["rho"] for i in range(levels)] + [0.0]
