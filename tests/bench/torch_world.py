"""An environment of the shipped model in plain Torch: reset from the pool, step, render. One row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import zstandard
from numpy.typing import NDArray
from safetensors.torch import load, load_file
from torch import Tensor
from torch.nn import functional

from bench.torch_dynamics import Dynamics, load_config, load_part
from bench.torch_raster import Leaves, View, composite_tiled, project
from bench.torch_tokenizer import Error, Grid, Reward

_OPACITY = 0.99
_COLOUR_MARGIN = 0.1


@dataclass(frozen=True)
class Camera:
    intrinsics: Tensor  # [3, 3] px
    world_from_cam: Tensor  # [4, 4]
    width: int
    height: int

    def view(self) -> View:
        return View(self.world_from_cam.inverse(), self.intrinsics, self.width, self.height, eps2d=0.0)


@dataclass
class State:
    """context [1, C, M, L] standardised, oldest first; actions [1, K - 1, A]."""

    context: Tensor
    actions: Tensor
    age: int


@dataclass(frozen=True)
class Anchors:
    """What is kept of the frame that an episode starts from."""

    camera: Camera
    centres: Tensor  # [1, M, 3]
    latents: Tensor  # [1, M, L] not standardised
    pixels: Tensor  # [1, 4, H, W] that the decoder changes
    skips: list[Tensor]


class TorchWorld:
    """Raises KeyError for checkpoints without the parts of gwm-small."""

    def __init__(self, checkpoint: Path) -> None:
        self.config = load_config(checkpoint)
        self.dynamics = Dynamics(self.config)
        self.grid, self.reward, self.error = Grid(self.config), Reward(self.config), Error(self.config)
        parts = {
            "dynamics": self.dynamics,
            "tokenizer": self.grid,
            "reward": self.reward,
            "error": self.error,
        }
        for name, module in parts.items():
            load_part(checkpoint, name, module)
        statistics = load_file(checkpoint / "normalizer.safetensors")
        self.sigma_data = self.config["diffusion"]["sigma_data"]
        self.mean, self.std = statistics["latent_mean"], statistics["latent_std"]
        self.change = statistics["change_std"] / self.sigma_data
        packed = (checkpoint / "reset_pool.safetensors.zst").read_bytes()
        self.pool = load(zstandard.ZstdDecompressor().stream_reader(packed).read())

    def _standardise(self, latents: Tensor) -> Tensor:
        return (latents - self.mean) * (self.sigma_data / self.std)

    def gaussians(self, pixels: Tensor, camera: Camera) -> Leaves:
        """One Gaussian per pixel of [1, 4, H, W]."""
        depth = pixels[0, 3].clamp(1e-3, 50.0).reciprocal()
        k, pose = camera.intrinsics, camera.world_from_cam
        x = (torch.arange(depth.shape[1]) + 0.5 - k[0, 2]) / k[0, 0]
        y = (torch.arange(depth.shape[0]) + 0.5 - k[1, 2]) / k[1, 1]
        rays = torch.stack(
            [x.expand(depth.shape), y[:, None].expand(depth.shape), torch.ones(depth.shape)], -1
        )
        means = ((rays * depth[..., None]) @ pose[:3, :3].T + pose[:3, 3]).reshape(-1, 3)
        size = (depth * self.config["gaussian_size"] / (k[0, 0] * k[1, 1]).sqrt()).reshape(-1, 1)
        quats = torch.tensor([1.0, 0, 0, 0]).expand(len(means), 4)
        colours = pixels[0, :3].permute(1, 2, 0).reshape(-1, 3)
        return Leaves(means, quats, size.expand(-1, 3), torch.full((len(means),), _OPACITY), colours)

    @staticmethod
    def draw(leaves: Leaves, camera: Camera, background: Tensor) -> Tensor:
        """[H, W, 3], not clamped."""
        visible = Leaves(*leaves.all()[:4], leaves.colors.clamp_min(0))
        return composite_tiled(project(visible, camera.view()), camera.width, camera.height, background)

    def _pixels(self, index: int, frame: int) -> Tensor:
        colour = self.pool["rgb"][index, frame, 0].float() / 255
        depth = torch.from_numpy(self.pool["depth_mm"][index, frame, 0].numpy().astype(np.float32)) * 1e-3
        inverse = torch.where(depth > 0, depth, torch.tensor(self.config["far_m"])).reciprocal()
        return torch.cat([colour.permute(2, 0, 1), inverse[None]])[None]

    def _fitted(self, pixels: Tensor, camera: Camera) -> Tensor:
        """Colours that render to the frame itself."""
        target = pixels[0, :3].permute(1, 2, 0)
        colours = target
        for _ in range(self.config["tokenizer"]["colour_passes"]):
            now = torch.cat([colours.permute(2, 0, 1)[None], pixels[:, 3:]], 1)
            image = self.draw(self.gaussians(now, camera), camera, target.mean((0, 1)))
            colours = target + (colours - image).clamp(-_COLOUR_MARGIN, _COLOUR_MARGIN)
        return torch.cat([colours.permute(2, 0, 1)[None], pixels[:, 3:]], 1)

    def reset(self, index: int) -> tuple[State, Anchors]:
        """From entry `index` of the pool."""
        side = self.config["height"], self.config["width"]
        matrices = self.pool["intrinsics"][index, 0], self.pool["world_from_cam"][index, 0]
        camera = Camera(*matrices, width=side[1], height=side[0])
        frames = [self._pixels(index, frame) for frame in range(self.pool["rgb"].shape[1])]
        latents = [self.grid.encode(frame)[0] for frame in frames]
        means = self.gaussians(frames[-1], camera).means.reshape(1, *side, 3).permute(0, 3, 1, 2)
        centres = functional.avg_pool2d(means, self.config["tokenizer"]["patch"]).flatten(2).transpose(1, 2)
        skips = self.grid.encode(frames[-1])[1]
        anchors = Anchors(camera, centres, latents[-1], self._fitted(frames[-1], camera), skips)
        history = [latents[-1], *latents[-self.config["dynamics"]["context_frames"] :]]
        past = torch.zeros(1, self.config["dynamics"]["action_history"] - 1, self.config["action_dim"])
        known = self.pool["action"][index][None]
        past[:, past.shape[1] - known.shape[1] :] = known
        return State(self._standardise(torch.stack(history, 1)), past, 0), anchors

    def step(self, state: State, anchors: Anchors, action: Tensor) -> tuple[State, float]:
        """action [1, A] -> the next state and the reward; one denoiser call, the mean prediction."""
        current = state.context[:, -1]
        velocity = (current - state.context[:, -2]) / self.change
        actions = torch.cat([state.actions, action[:, None]], 1)
        condition = self.dynamics.prepare(state.context, velocity, actions, anchors.centres)
        sigma = torch.full((1,), self.config["diffusion"]["sigma_max"])
        after = current + self.dynamics(torch.zeros_like(current), sigma, condition) * self.change
        reward, _ = self.reward(current, after, anchors.centres, action)
        self.error(state.context[:, 0], current, after, anchors.centres, float(state.age + 1))
        context = torch.cat([state.context[:, :1], state.context[:, 2:], after[:, None]], 1)
        return State(context, actions[:, 1:], state.age + 1), float(reward)

    def render(self, state: State, anchors: Anchors, camera: Camera) -> NDArray[np.uint8]:
        """u8 [H, W, 3]"""
        latents = state.context[:, -1] * (self.std / self.sigma_data) + self.mean
        pixels = self.grid.decode(latents, anchors.latents, anchors.pixels, anchors.skips)
        leaves = self.gaussians(pixels, anchors.camera)
        image = self.draw(leaves, camera, leaves.colors.clamp(0, 1).mean(0))
        result: NDArray[np.uint8] = (image * 255).round().clamp(0, 255).to(torch.uint8).numpy()
        return result
