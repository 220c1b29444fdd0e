"""Meta-World behind the server: RGB-D, camera matrices, reward, success and the simulator's own state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
from gwm.envs.metaworld import (
    ACTION_SIZE,
    MAX_DEPTH_M,
    STATE_SIZE,
    Frame,
    MetaWorldConfig,
    MetaWorldEnv,
)
from gwm.serving.backend import BackendSpec, Field, Outcome, View, unit_action

Array = npt.NDArray[Any]


class MetaWorldBackend:
    """options: fields of MetaWorldConfig."""

    def __init__(self, task: str, options: dict[str, Any]) -> None:
        self._env = MetaWorldEnv(MetaWorldConfig(task, **options))
        self._state: Array = np.zeros(STATE_SIZE)
        # The cameras stand still, but their pose is known only after the first reset.
        self._env.reset(0)
        self.spec = self._make_spec()

    def reset(self, seed: int, observations: Sequence[str]) -> dict[str, Array]:
        self._state = self._env.reset(seed)
        return self._observe(observations, None)

    def step(self, action: Array, observations: Sequence[str], pose: Array | None) -> Outcome:
        transition = self._env.step(action)
        self._state = transition.state
        return Outcome(
            reward=transition.reward,
            terminated=transition.terminated,
            truncated=transition.truncated,
            success=transition.success,
            observations=self._observe(observations, pose),
        )

    def render(self, outputs: Sequence[str], poses: Sequence[Array]) -> dict[str, Array]:
        if not poses:
            return _images(self._env.render(), outputs)
        frames = [_images(self._env.render_from(pose), outputs) for pose in poses]
        return {name: np.concatenate([frame[name] for frame in frames]) for name in outputs}

    def close(self) -> None:
        self._env.close()

    def _observe(self, names: Sequence[str], pose: Array | None) -> dict[str, Array]:
        images = [name for name in names if name != "state"]
        observed = self.render(images, [] if pose is None else [pose]) if images else {}
        if "state" in names:
            observed["state"] = self._state.astype(np.float32)
        return observed

    def _make_spec(self) -> BackendSpec:
        config = self._env.config
        image = (self._env.num_views, config.height, config.width)
        views = tuple(
            View(intrinsics, pose, config.width, config.height)
            for intrinsics, pose in zip(self._env.intrinsics(), self._env.world_from_cam(), strict=True)
        )
        return BackendSpec(
            model_id=model_id(config),
            task=config.task,
            action=unit_action(ACTION_SIZE),
            observations=(
                Field("rgb", "U8", (*image, 3), 0.0, 255.0),
                Field("depth", "F32", image, 0.0, MAX_DEPTH_M),
                Field("state", "F32", (STATE_SIZE,), -np.inf, np.inf),
            ),
            views=views,
            image_size=(config.height, config.width),
            horizon=config.horizon,
            control_dt_s=self._env.control_dt_s,
            moves_camera=True,
        )


def model_id(config: MetaWorldConfig) -> str:
    """Such as "metaworld:hammer-v3", with "?camera=corner&..." for settings that differ from the defaults."""
    plain = asdict(MetaWorldConfig(config.task))
    changed = {name: value for name, value in asdict(config).items() if value != plain[name]}
    if config.extra_views:
        changed["extra_views"] = len(config.extra_views)
    query = "&".join(f"{name}={value}" for name, value in changed.items())
    return f"metaworld:{config.task}" + (f"?{query}" if query else "")


def _images(frame: Frame, names: Sequence[str]) -> dict[str, Array]:
    images: dict[str, Array] = {}
    if "rgb" in names:
        images["rgb"] = frame.rgb
    if "depth" in names:
        images["depth"] = np.where(frame.depth_m < MAX_DEPTH_M, frame.depth_m, 0.0).astype(np.float32)
    return images
