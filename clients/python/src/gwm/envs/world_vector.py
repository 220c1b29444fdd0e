"""`gymnasium.make_vec("gwm/World-v0", num_envs=8, address=...)`: one session, one call per step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gwm.client import Client
from gwm.envs.spaces import action_space, observation_space, select_view
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

Array = npt.NDArray[Any]


class WorldVectorEnv(VectorEnv[Array, Array, Array]):
    """`num_envs` environments in one session; arguments as in WorldEnv.

    autoreset_mode: what happens to an environment whose episode ended, declared in
    metadata["autoreset_mode"]. NEXT_STEP (default): the next step ignores its action, resets it and returns
    reward 0. SAME_STEP: it is reset within the step; the last observation is in info["final_obs"]. DISABLED:
    the caller resets it with reset(options={"reset_mask": ...}).
    """

    def __init__(
        self,
        address: str,
        *,
        num_envs: int = 1,
        obs: str = "rgb",
        view: int = 0,
        horizon: int | None = None,
        sampler_calls: int = 0,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        timeout_s: float = 120.0,
    ) -> None:
        super().__init__()
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is {render_mode!r}; allowed are None and 'rgb_array'")
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": ["rgb_array"], "autoreset_mode": self.autoreset_mode}
        self._client = Client(address, timeout_s=timeout_s)
        try:
            spec = self._client.spec()
            self.single_action_space = action_space(spec)
            self.single_observation_space = observation_space(spec, obs, view)
            self._session = self._client.create_session(
                num_envs,
                observations=[obs],
                sampler_calls=sampler_calls,
                max_episode_steps=spec.horizon if horizon is None else horizon,
            )
        except BaseException:
            self._client.close()
            raise
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._mode = obs
        self._view = view
        self._done = np.zeros(num_envs, np.bool_)
        self._last = np.zeros(self.observation_space.shape or (), self.observation_space.dtype)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Resets all environments, or those of options["reset_mask"] (bool [num_envs]).

        One seed serves all environments, which differ all the same; a list gives each its own.
        """
        mask = self._reset_mask(options)
        if seed is None or isinstance(seed, (int, np.integer)):
            super().reset(seed=None if seed is None else int(seed))
            infos = self._reset_rows(np.flatnonzero(mask), seed)
            return self._last.copy(), infos
        if len(seed) != self.num_envs:
            raise ValueError(f"seed has {len(seed)} entries; expected num_envs = {self.num_envs}")
        infos = {}
        for row in np.flatnonzero(mask).tolist():
            infos = merge_infos(infos, self._reset_rows(np.array([row]), seed[row]))
        return self._last.copy(), infos

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        batch = np.asarray(actions, np.float32)
        if batch.shape != self.action_space.shape:
            raise ValueError(f"actions have shape {batch.shape}; expected {self.action_space.shape}")
        resetting = self._done.copy()
        if resetting.any() and self.autoreset_mode is AutoresetMode.DISABLED:
            ended = np.flatnonzero(resetting).tolist()
            raise ValueError(
                f"the episodes of environments {ended} ended; reset them with options['reset_mask']"
            )
        rewards = np.zeros(self.num_envs, np.float64)
        terminated = np.zeros(self.num_envs, np.bool_)
        truncated = np.zeros(self.num_envs, np.bool_)
        infos: dict[str, Any] = {}
        # The step comes first: when it fails, the environments that wait for their reset still do.
        stepping = np.flatnonzero(~resetting)
        if len(stepping):
            result = self._session.step(batch[stepping], env_ids=stepping.tolist())
            self._last[stepping] = select_view(result.observations[self._mode], self._mode, self._view)
            rewards[stepping] = result.reward
            terminated[stepping] = result.terminated
            truncated[stepping] = result.truncated | result.failed
            names = ("success", "success_probability", "step_index", "failed")
            infos = self._scatter({name: getattr(result, name) for name in names}, stepping)
            self._done[stepping] = terminated[stepping] | truncated[stepping]
        if resetting.any():
            infos = merge_infos(infos, self._reset_rows(np.flatnonzero(resetting), None))
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._done.any():
            infos = self._reset_in_same_step(infos)
        return self._last.copy(), rewards, terminated, truncated, infos

    def render(self) -> tuple[Array, ...] | None:
        """One u8 [H, W, 3] image per environment."""
        if self.render_mode is None:
            gymnasium.logger.warn('gwm/World-v0 was made without render_mode; pass render_mode="rgb_array"')
            return None
        if self._mode == "rgb":
            return tuple(self._last.copy())
        images = self._session.render(outputs=["rgb"])
        assert images.rgb is not None
        return tuple(images.rgb[:, self._view])

    def close_extras(self, **kwargs: Any) -> None:
        self._session.close()
        self._client.close()

    def _reset_mask(self, options: dict[str, Any] | None) -> Array:
        options = dict(options or {})
        mask = options.pop("reset_mask", np.ones(self.num_envs, np.bool_))
        if options:
            raise ValueError(f"unknown reset options {sorted(options)}; allowed is 'reset_mask'")
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise ValueError(
                f"options['reset_mask'] must be a numpy array of bool [{self.num_envs}], got {mask!r}"
            )
        if not mask.any():
            raise ValueError("options['reset_mask'] must name at least one environment")
        return mask

    def _reset_rows(self, rows: Array, seed: int | None) -> dict[str, Any]:
        """Resets `rows`, writes their first observations into _last and returns their infos."""
        result = self._session.reset(rows.tolist(), seed=None if seed is None else int(seed))
        self._last[rows] = select_view(result.observations[self._mode], self._mode, self._view)
        self._done[rows] = False
        values = {"episode_index": result.episode}
        if len(result.pool_indices):
            values["pool_index"] = result.pool_indices
        return self._scatter(values, rows)

    def _reset_in_same_step(self, infos: dict[str, Any]) -> dict[str, Any]:
        rows = np.flatnonzero(self._done)
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row in rows:
            final_obs[row] = self._last[row].copy()
        final_info = {
            name: np.where(self._done, value, np.zeros_like(value)) for name, value in infos.items()
        }
        ended = self._done.copy()
        fresh = self._reset_rows(rows, None)
        kept = {name: np.where(ended, np.zeros_like(value), value) for name, value in infos.items()}
        final = {
            "final_obs": final_obs,
            "_final_obs": ended,
            "final_info": final_info,
            "_final_info": ended.copy(),
        }
        return {**merge_infos(kept, fresh), **final}

    def _scatter(self, values: dict[str, Array], rows: Array) -> dict[str, Any]:
        """Arrays over `rows` -> arrays over all environments, each with its `_name` mask."""
        infos: dict[str, Any] = {}
        for name, value in values.items():
            full = np.zeros((self.num_envs, *value.shape[1:]), value.dtype)
            full[rows] = value
            mask = np.zeros(self.num_envs, np.bool_)
            mask[rows] = True
            infos[name], infos[f"_{name}"] = full, mask
        return infos


def merge_infos(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Joins two info dictionaries of disjoint environments; where both have a name, the second's rows win."""
    merged = dict(first)
    for name, value in second.items():
        if name.startswith("_") or name not in merged:
            merged[name] = merged[name] | value if name in merged else value
        else:
            merged[name] = np.where(second[f"_{name}"], value, merged[name])
    return merged
