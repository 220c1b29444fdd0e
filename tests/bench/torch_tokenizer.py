"""The grid tokenizer and the heads of the shipped model in plain Torch, inference only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.torch_layers import Mlp, RmsNorm, contract, fourier

_HEAD_BANDS = 4
_INVERSE_DEPTH_SCALE = 0.5


def _scale() -> Tensor:
    return torch.tensor([1.0, 1.0, 1.0, _INVERSE_DEPTH_SCALE]).reshape(1, 4, 1, 1)


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(functional.silu(self.first(functional.silu(x))))


class Grid(nn.Module):
    """Pixels [1, 4, H, W] (colour, inverse depth in 1/m) to latents [1, M, L] and back."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        shape = config["tokenizer"]
        self.levels = shape["patch"].bit_length() - 1
        shares = [0.3] * max(0, self.levels - 2) + [0.6, 1.0]
        c = [max(16, int(shape["width"] * share) // 8 * 8) for share in shares]
        self.depth, latent = shape["depth"], shape["latent_dim"]
        self.stem = nn.Conv2d(16, c[0], 3, padding=1)
        for i in range(self.levels - 1):
            self.add_module(f"encoder_block{i}", Residual(c[i]))
            self.add_module(f"down{i}", nn.Conv2d(c[i], c[i + 1], 3, 2, 1))
            self.add_module(f"up{i}", nn.Conv2d(c[i + 1], 4 * c[i], 1))
            self.add_module(f"merge{i}", nn.Conv2d(2 * c[i], c[i], 3, padding=1))
            self.add_module(f"decoder_block{i}", Residual(c[i]))
        for i in range(self.depth):
            self.add_module(f"middle{i}", Residual(c[-1]))
            self.add_module(f"decoder_middle{i}", Residual(c[-1]))
        self.to_posterior = nn.Conv2d(c[-1], 2 * latent, 1)
        self.from_latents = nn.Conv2d(2 * latent, c[-1], 3, padding=1)
        self.to_pixels = nn.Conv2d(c[0], 20, 3, padding=1)

    def encode(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Means of the latents [1, M, L] and what the decoder skips to."""
        x = self.stem(functional.pixel_unshuffle((pixels * _scale() - 0.5) * 2.0, 2))
        skips = []
        for i in range(self.levels - 1):
            x = getattr(self, f"encoder_block{i}")(x)
            skips.append(x)
            x = getattr(self, f"down{i}")(functional.silu(x))
        for i in range(self.depth):
            x = getattr(self, f"middle{i}")(x)
        means = self.to_posterior(functional.silu(x)).chunk(2, 1)[0]
        return means.flatten(2).transpose(1, 2), skips

    def decode(
        self, latents: Tensor, reset_latents: Tensor, reset_pixels: Tensor, skips: list[Tensor]
    ) -> Tensor:
        """Pixels [1, 4, H, W]: the reset frame where nothing changed."""
        both = torch.cat([latents, reset_latents], -1).transpose(1, 2)
        height, width = skips[-1].shape[2:]
        x = self.from_latents(both.unflatten(2, (height // 2, width // 2)))
        for i in range(self.depth):
            x = getattr(self, f"decoder_middle{i}")(x)
        for i in reversed(range(self.levels - 1)):
            x = functional.pixel_shuffle(getattr(self, f"up{i}")(functional.silu(x)), 2)
            x = getattr(self, f"merge{i}")(functional.silu(torch.cat([x, skips[i]], 1)))
            x = getattr(self, f"decoder_block{i}")(x)
        out = functional.pixel_shuffle(self.to_pixels(functional.silu(x)), 2)
        candidate = (out[:, :4] * 0.5 + 0.5) / _scale()
        return reset_pixels + out[:, 4:].sigmoid() * (candidate - reset_pixels)


class Reward(nn.Module):
    """Reward of a transition; the flags are computed as well, as the server does."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        shape, width = config["reward"], config["reward"]["width"]
        self.limit = shape["symlog_limit"]
        self.token = Mlp(2 * config["tokenizer"]["latent_dim"], 2 * width, width)
        self.position = nn.Linear(6 * _HEAD_BANDS + 3, width)
        self.norm = RmsNorm(width)
        self.values = nn.Linear(width, shape["token_values"])
        pooled = config["tokenizer"]["tokens"] * shape["token_values"]
        self.trunk = Mlp(pooled + config["action_dim"], 2 * width, width)
        self.reward = nn.Linear(width, shape["bins"])
        self.flags = nn.Linear(width, 2)

    def forward(
        self, before: Tensor, after: Tensor, centres: Tensor, action: Tensor
    ) -> tuple[Tensor, Tensor]:
        """[B, M, L] twice, [B, M, 3], [B, A] -> reward [B], probabilities of the flags [B, 2]"""
        where = self.position(fourier(contract(centres * 0.5), _HEAD_BANDS))
        tokens = self.norm(self.token(torch.cat([before, after], -1)) + where)
        h = functional.gelu(self.trunk(torch.cat([self.values(tokens).flatten(1), action], -1)))
        logits = self.reward(h)
        bins = torch.linspace(-self.limit, self.limit, logits.shape[-1])
        expected = (logits.softmax(-1) * bins).sum(-1)
        return expected.sign() * torch.expm1(expected.abs()), self.flags(h).sigmoid()


class Error(nn.Module):
    """Squared error to expect of an imagined state."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width = config["error_head"]["width"]
        self.unit = 1.0 / config["diffusion"]["sigma_data"]
        inputs = 3 * config["tokenizer"]["latent_dim"] + 6 * _HEAD_BANDS + 4
        self.token = Mlp(inputs, 2 * width, width)
        self.norm = RmsNorm(width)
        self.trunk = Mlp(2 * width, width, 1)

    def forward(self, reset: Tensor, before: Tensor, after: Tensor, centres: Tensor, age: float) -> Tensor:
        """[B, M, L] thrice, [B, M, 3] -> [B]"""
        where = fourier(contract(centres * 0.5), _HEAD_BANDS)
        log_age = torch.full((*after.shape[:2], 1), age).log()
        changes = [reset * self.unit, (after - before) * self.unit, (after - reset) * self.unit]
        x = self.norm(self.token(torch.cat([*changes, where, log_age], -1)))
        x = torch.cat([x, x.mean(1, keepdim=True).expand_as(x)], -1)
        return self.trunk(x).squeeze(-1).exp().mean(-1)
