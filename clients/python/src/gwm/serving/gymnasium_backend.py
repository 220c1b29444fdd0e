"""Any Gymnasium environment behind the server, as far as its spaces can be told as arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gwm.serving.backend import BackendSpec, Field, Outcome, UnsupportedError
from gymnasium import spaces

Array = npt.NDArray[Any]


class GymnasiumBackend:
    """Actions: a Box, told as f32 [A] in its own range (in [-1, 1] when its bounds differ), or a Discrete
    space, told as one number that is rounded. Observations: "state" (a Box, flattened), "rgb" (a Box of u8
    [H, W, 3], or what render() gives). Success: the step's info["success"] or info["is_success"].

    options: arguments of gymnasium.make.
    """

    def __init__(self, env_id: str, options: dict[str, Any]) -> None:
        self._env = _make(env_id, options)
        try:
            self._observation: Any = self._env.reset(seed=0)[0]
            self._action = _ActionMap(self._env.action_space)
            self.spec = self._make_spec(env_id)
        except BaseException:
            self._env.close()
            raise

    def reset(self, seed: int, observations: Sequence[str]) -> dict[str, Array]:
        # The spaces of older environments take 32-bit seeds only.
        self._observation, _ = self._env.reset(seed=seed % (1 << 32))
        return self._observe(observations)

    def step(self, action: Array, observations: Sequence[str], pose: Array | None) -> Outcome:
        if pose is not None:
            raise UnsupportedError(f"{self.spec.model_id} cannot be seen from another camera")
        self._observation, reward, terminated, truncated, info = self._env.step(self._action(action))
        return Outcome(
            reward=float(reward),
            terminated=bool(terminated),
            truncated=bool(truncated),
            success=bool(info.get("success", info.get("is_success", False))),
            observations=self._observe(observations),
        )

    def render(self, outputs: Sequence[str], poses: Sequence[Array]) -> dict[str, Array]:
        if poses:
            raise UnsupportedError(f"{self.spec.model_id} cannot be seen from another camera")
        if list(outputs) != ["rgb"]:
            raise UnsupportedError(f"{self.spec.model_id} renders rgb only")
        return {"rgb": self._image()}

    def close(self) -> None:
        self._env.close()

    def _observe(self, names: Sequence[str]) -> dict[str, Array]:
        observed: dict[str, Array] = {}
        if "rgb" in names:
            observed["rgb"] = self._image()
        if "state" in names:
            observed["state"] = np.asarray(self._observation, np.float32).reshape(-1)
        return observed

    def _image(self) -> Array:
        """u8 [1, H, W, 3]."""
        if _is_image(self._env.observation_space):
            return np.asarray(self._observation, np.uint8)[None]
        return np.array(self._env.render(), np.uint8)[None]

    def _make_spec(self, env_id: str) -> BackendSpec:
        fields = []
        image_shape = self._image_shape()
        if image_shape is not None:
            fields.append(Field("rgb", "U8", (1, *image_shape), 0.0, 255.0))
        space = self._env.observation_space
        if isinstance(space, spaces.Box) and not _is_image(space):
            low, high = float(np.min(space.low)), float(np.max(space.high))
            fields.append(Field("state", "F32", (int(np.prod(space.shape)),), low, high))
        if not fields:
            raise ValueError(f"{env_id}: observation space {space} is neither a Box nor rendered as an image")
        horizon = self._env.spec.max_episode_steps if self._env.spec is not None else None
        return BackendSpec(
            model_id=env_id,
            task=env_id,
            action=self._action.field,
            observations=tuple(fields),
            image_size=(image_shape[0], image_shape[1]) if image_shape else (0, 0),
            horizon=horizon or 0,
        )

    def _image_shape(self) -> tuple[int, int, int] | None:
        if not _is_image(self._env.observation_space) and self._env.render_mode != "rgb_array":
            return None
        height, width, channels = self._image().shape[1:]
        return (height, width, channels) if channels == 3 else None


class _ActionMap:
    """f32 [A] of the wire -> what the environment takes."""

    def __init__(self, space: spaces.Space[Any]) -> None:
        self._space = space
        if isinstance(space, spaces.Discrete):
            first, last = float(space.start), float(space.start + space.n - 1)
            self.field = Field("action", "F32", (1,), first, last)
        elif isinstance(space, spaces.Box):
            low, high = np.unique(space.low), np.unique(space.high)
            self._scaled = len(low) > 1 or len(high) > 1
            bounded = bool(np.isfinite(space.low).all() and np.isfinite(space.high).all())
            if self._scaled and not bounded:
                raise ValueError(f"action space {space} mixes bounded and unbounded channels")
            limits = (-1.0, 1.0) if self._scaled else (float(low[0]), float(high[0]))
            self.field = Field("action", "F32", (int(np.prod(space.shape)),), *limits)
        else:
            raise ValueError(f"action space {space} is neither Box nor Discrete")

    def __call__(self, action: Array) -> Any:
        if isinstance(self._space, spaces.Discrete):
            return round(float(action[0]))
        assert isinstance(self._space, spaces.Box)
        shaped = np.asarray(action, np.float64).reshape(self._space.shape)
        if self._scaled:
            shaped = self._space.low + (shaped + 1.0) / 2.0 * (self._space.high - self._space.low)
        return np.clip(shaped, self._space.low, self._space.high).astype(self._space.dtype)


def _make(env_id: str, options: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """With images when the environment can render them here, else without."""
    if "render_mode" not in options:
        with contextlib.suppress(Exception):
            env = gymnasium.make(env_id, render_mode="rgb_array", **options)
            try:
                env.reset(seed=0)
                if np.asarray(env.render()).ndim == 3:
                    return env
            except BaseException:
                env.close()
                raise
            env.close()
    try:
        return gymnasium.make(env_id, **options)
    except gymnasium.error.Error as error:
        raise ValueError(f"Gymnasium cannot make {env_id!r}: {error}") from error


def _is_image(space: spaces.Space[Any]) -> bool:
    return (
        isinstance(space, spaces.Box)
        and space.dtype == np.uint8
        and space.shape is not None
        and len(space.shape) == 3
        and space.shape[2] == 3
    )
