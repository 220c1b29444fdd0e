"""All environments of one session as a Stable-Baselines3 `VecEnv`.

    model = PPO("CnnPolicy", SB3WorldVecEnv("localhost:50051", num_envs=16))

Stable-Baselines3 has a vector interface of its own: an ended environment is reset within the step, its last
observation goes into infos[i]["terminal_observation"].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gwm.envs.world_vector import WorldVectorEnv
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv

Array = npt.NDArray[Any]

_STEP_INFOS = ("success", "success_probability", "step_index", "failed", "expected_error")


class SB3WorldVecEnv(VecEnv):
    """Arguments as in WorldVectorEnv, without autoreset_mode. infos carry "is_success" for callbacks."""

    def __init__(self, address: str, *, num_envs: int = 1, **options: Any) -> None:
        self._envs = WorldVectorEnv(
            address, num_envs=num_envs, autoreset_mode=AutoresetMode.SAME_STEP, **options
        )
        self._actions: Array | None = None
        # The base class asks for the render mode of each environment while it is being made.
        super().__init__(num_envs, self._envs.single_observation_space, self._envs.single_action_space)

    def reset(self) -> Array:
        # A seed given by seed() serves the next reset only, as Stable-Baselines3 has it.
        seed = self._seeds[0] if self._seeds else None
        observations, infos = self._envs.reset(seed=seed)
        self.reset_infos = self._rows(infos)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: Array) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[Array, Array, Array, list[dict[str, Any]]]:
        assert self._actions is not None
        observations, rewards, terminated, truncated, batch = self._envs.step(self._actions)
        done = terminated | truncated
        final = batch.get("final_info", {})
        rows = []
        for row in range(self.num_envs):
            source = final if done[row] else batch
            info = {name: source[name][row].item() for name in _STEP_INFOS if name in source}
            info["is_success"] = info.get("success", False)
            info["TimeLimit.truncated"] = bool(truncated[row] and not terminated[row])
            if done[row]:
                info["terminal_observation"] = batch["final_obs"][row]
            rows.append(info)
        return observations, rewards.astype(np.float32), done, rows

    def close(self) -> None:
        self._envs.close()

    def get_images(self) -> Sequence[Array | None]:
        images = self._envs.render()
        return list(images) if images is not None else [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self._envs, attr_name)] * len(self._indices(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise AttributeError(f"cannot set {attr_name!r}: the environments live on a server")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise AttributeError(f"cannot call {method_name!r}: the environments live on a server")

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        return [False] * len(self._indices(indices))

    def _indices(self, indices: int | Iterable[int] | None) -> list[int]:
        return list(self._get_indices(indices))

    def _rows(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        names = [name for name in batch if not name.startswith("_")]
        return [{name: batch[name][row].item() for name in names} for row in range(self.num_envs)]
