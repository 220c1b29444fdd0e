"""`gymnasium.make_vec("gwm/World-v0", num_envs=8, address=...)`: one session, one call per step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gwm.client import Client
from gwm.envs.spaces import action_space, observation_space, select_view
from gwm.session import Session
from gwm.types import FinalRows, StepResult
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

Array = npt.NDArray[Any]


_SERVER_MODES = {
    AutoresetMode.NEXT_STEP: "next_step",
    AutoresetMode.SAME_STEP: "same_step",
    AutoresetMode.DISABLED: "none",
}
# The last one only from models that tell it.
_STEP_INFOS = ("success", "success_probability", "step_index", "failed", "expected_error")


class WorldVectorEnv(VectorEnv[Array, Array, Array]):
    """`num_envs` environments in one session; arguments as in WorldEnv.

    autoreset_mode: what happens to an environment whose episode ended, declared in
    metadata["autoreset_mode"], and done by the server. NEXT_STEP (default): the next step ignores its action,
    resets it and returns reward 0. SAME_STEP: it is reset within the step; the last observation is in
    info["final_obs"]. DISABLED: the caller resets it with reset(options={"reset_mask": ...}).
    """

    def __init__(
        self,
        address: str,
        *,
        num_envs: int = 1,
        obs: str = "rgb",
        view: int = 0,
        horizon: int | None = None,
        max_expected_error: float = 0.0,
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
                max_expected_error=max_expected_error,
                auto_reset=_SERVER_MODES[self.autoreset_mode],
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
        if self._done.any() and self.autoreset_mode is AutoresetMode.DISABLED:
            ended = np.flatnonzero(self._done).tolist()
            raise ValueError(
                f"the episodes of environments {ended} ended; reset them with options['reset_mask']"
            )
        result = self._session.step(batch)
        self._last[:] = select_view(result.observations[self._mode], self._mode, self._view)
        truncated = result.truncated | result.failed
        self._done = result.terminated | truncated
        return (
            self._last.copy(),
            result.reward.astype(np.float64),
            result.terminated,
            truncated,
            self._step_infos(result),
        )

    def _step_infos(self, result: StepResult) -> dict[str, Any]:
        """Of rows that were stepped: how they fared; of rows whose episode began: which one it is."""
        began = result.reset if result.reset is not None else np.zeros(self.num_envs, np.bool_)
        infos: dict[str, Any] = {}
        stepped = np.flatnonzero(~began)
        if len(stepped):
            infos = self._scatter({name: value[stepped] for name, value in step_values(result)}, stepped)
        fresh = np.flatnonzero(began)
        if not len(fresh):
            return infos
        assert result.episode is not None
        values = {"episode_index": result.episode[fresh]}
        if result.pool_indices is not None and len(result.pool_indices):
            values["pool_index"] = result.pool_indices[fresh]
        infos = merge_infos(infos, self._scatter(values, fresh))
        return infos if result.final is None else {**infos, **self._final_infos(result, result.final)}

    def _final_infos(self, result: StepResult, final: FinalRows) -> dict[str, Any]:
        final_obs = np.full(self.num_envs, None, dtype=object)
        # Without observations all of these rows failed, and there is nothing to show.
        if self._mode in final.observations:
            last = select_view(final.observations[self._mode], self._mode, self._view)
            for row, observation in zip(final.rows, last, strict=True):
                final_obs[row] = observation.copy()
        ended = np.zeros(self.num_envs, np.bool_)
        ended[final.rows] = True
        values = {name: value[final.rows] for name, value in step_values(result)}
        values["step_index"] = final.step_index
        return {
            "final_obs": final_obs,
            "_final_obs": ended,
            "final_info": self._scatter(values, np.asarray(final.rows, np.int64)),
            "_final_info": ended.copy(),
        }

    @property
    def session(self) -> Session:
        """The session behind it, for what gymnasium has no words for."""
        return self._session

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


def step_values(result: StepResult) -> Iterator[tuple[str, Array]]:
    """What step's info says, by name, each [n]."""
    for name in _STEP_INFOS:
        value = getattr(result, name)
        if value is not None:
            yield name, value


def merge_infos(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Joins two info dictionaries of disjoint environments; where both have a name, the second's rows win."""
    merged = dict(first)
    for name, value in second.items():
        if name.startswith("_") or name not in merged:
            merged[name] = merged[name] | value if name in merged else value
        else:
            merged[name] = np.where(second[f"_{name}"], value, merged[name])
    return merged
