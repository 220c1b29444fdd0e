"""`gymnasium.make("gwm/World-v0", address="localhost:50051")`: one environment of any gwm server."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gwm.client import Client
from gwm.envs.spaces import action_space, observation_space, select_view
from gwm.types import RgbdFrames

Array = npt.NDArray[Any]


class WorldEnv(gymnasium.Env[Array, Array]):
    """A session of one environment; the session ends with close().

    obs: "rgb" (u8 [H, W, 3] of view `view`), "latent" (f32 [M, L]) or "state" (f32 [S], real environments
    only). horizon: steps after which an episode is truncated; None takes the server's (0: never).
    reset(options=...): {"pool_index": i} starts from that entry of the server's pool of real frames,
    {"frames": RgbdFrames} from those images. max_expected_error: a step whose expected error exceeds it
    truncates the episode too (0: never). info of step: success, success_probability, step_index, failed, and
    expected_error from models that tell it.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 40}  # noqa: RUF012

    def __init__(
        self,
        address: str,
        *,
        obs: str = "rgb",
        view: int = 0,
        horizon: int | None = None,
        max_expected_error: float = 0.0,
        sampler_calls: int = 0,
        render_mode: str | None = None,
        timeout_s: float = 120.0,
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is {render_mode!r}; allowed are None and 'rgb_array'")
        self.render_mode = render_mode
        self._client = Client(address, timeout_s=timeout_s)
        try:
            spec = self._client.spec()
            self.action_space = action_space(spec)
            self.observation_space = observation_space(spec, obs, view)
            self._session = self._client.create_session(
                1,
                observations=[obs],
                sampler_calls=sampler_calls,
                max_episode_steps=spec.horizon if horizon is None else horizon,
                max_expected_error=max_expected_error,
            )
        except BaseException:
            self._client.close()
            raise
        if spec.control_dt_s > 0:
            self.metadata = {**self.metadata, "render_fps": max(1, round(1 / spec.control_dt_s))}
        self._mode = obs
        self._view = view
        self._rgb: Array | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        result = self._session.reset(seed=seed, **reset_arguments(options))
        info: dict[str, Any] = {"episode_index": int(result.episode[0])}
        if len(result.pool_indices):
            info["pool_index"] = int(result.pool_indices[0])
        return self._remember(result.observations), info

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        result = self._session.step(np.asarray(action, np.float32)[None])
        failed = bool(result.failed[0])
        info = {
            "success": bool(result.success[0]),
            "success_probability": float(result.success_probability[0]),
            "step_index": int(result.step_index[0]),
            "failed": failed,
        }
        if result.expected_error is not None:
            info["expected_error"] = float(result.expected_error[0])
        observation = self._remember(result.observations)
        # An environment whose result was not finite cannot go on; that is no end of the task.
        truncated = bool(result.truncated[0]) or failed
        return observation, float(result.reward[0]), bool(result.terminated[0]), truncated, info

    def render(self) -> Array | None:
        """u8 [H, W, 3] for render_mode "rgb_array"."""
        if self.render_mode is None:
            gymnasium.logger.warn('gwm/World-v0 was made without render_mode; pass render_mode="rgb_array"')
            return None
        if self._rgb is None:
            images = self._session.render(outputs=["rgb"])
            assert images.rgb is not None
            self._rgb = images.rgb[0, self._view]
        return self._rgb.copy()

    def close(self) -> None:
        self._session.close()
        self._client.close()

    def _remember(self, observations: dict[str, Array]) -> Array:
        observation: Array = select_view(observations[self._mode], self._mode, self._view)[0]
        self._rgb = observation if self._mode == "rgb" else None
        return observation


def reset_arguments(options: dict[str, Any] | None) -> dict[str, Any]:
    """Gymnasium's reset options -> arguments of Session.reset. Raises ValueError for unknown ones."""
    options = dict(options or {})
    arguments: dict[str, Any] = {}
    if "pool_index" in options:
        arguments["pool_indices"] = [int(options.pop("pool_index"))]
    if "frames" in options:
        frames = options.pop("frames")
        if not isinstance(frames, RgbdFrames):
            raise TypeError(f"options['frames'] is {type(frames).__name__}; expected gwm.RgbdFrames")
        arguments["frames"] = frames
    if options:
        raise ValueError(f"unknown reset options {sorted(options)}; allowed are 'frames' and 'pool_index'")
    return arguments
