"""Blocks of the model in plain Torch, written as a user of Torch would; names are those of the checkpoint."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class RmsNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight, 1e-6)


class Mlp(nn.Module):
    """Linear -> GELU (tanh form) -> Linear."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.up = nn.Linear(inputs, hidden)
        self.down = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(functional.gelu(self.up(x), approximate="tanh"))


def contract(x: Tensor) -> Tensor:
    """Points outside the unit ball are pulled in to 2 - 1/|x|. [..., 3]"""
    norm = x.norm(dim=-1, keepdim=True).clamp_min(1.0)
    return x * ((2.0 - 1.0 / norm) / norm)


def fourier(x: Tensor, bands: int) -> Tensor:
    """[..., 3] -> [..., 6 * bands + 3]"""
    angle = (x[..., None] * (2.0 ** torch.arange(bands) * math.pi)).flatten(-2)
    return torch.cat([angle.sin(), angle.cos(), x], -1)


def time_features(t: Tensor, dim: int) -> Tensor:
    """[B] -> [B, dim]"""
    half = dim // 2
    angle = t[:, None] * torch.exp(torch.arange(half) * (-math.log(10000.0) / half))
    return torch.cat([angle.cos(), angle.sin()], -1)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, M, heads * d] -> [B, heads, M, d]"""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def rope(positions: Tensor, head_dim: int, base: float) -> tuple[Tensor, Tensor]:
    """positions [B, M, 3] -> cos and sin [B, 1, M, head_dim / 2]; bands are dealt to the axes in turn."""
    band = torch.arange(head_dim // 2)
    angle = positions[..., band % 3] * base ** (band * (-2.0 / head_dim))
    return angle.cos()[:, None], angle.sin()[:, None]


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Pairs (i, i + d/2) of [B, heads, M, d]."""
    first, second = x.chunk(2, -1)
    cos, sin = turn
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x [B, M, D], shift and scale [B, D]"""
    return x * (1.0 + scale[:, None]) + shift[:, None]
