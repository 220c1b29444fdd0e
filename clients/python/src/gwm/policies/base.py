"""The three kinds of policies and the law of their noise."""

from __future__ import annotations

import warnings
import zlib
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Kind in an episode's metadata -> what it does. "scripted" is another name of "expert" on the command line.
KINDS = ("expert", "noisy", "random")
# Of the noisy expert, in action units: white Gaussian noise, added before the clip to [-1, 1].
NOISE_STD = 0.5


class Policy(Protocol):
    """Chooses one action at a time; used for a single episode."""

    def act(self, state: Array | None) -> Array:
        """state: [S] of the last observation (None when the environment has none) -> f32 [A] in [-1, 1]."""


def episode_generator(task: str, kind: str, seed: int) -> np.random.Generator:
    """The noise source of one episode; the same three keys always give the same stream."""
    key = [zlib.crc32(task.encode()), zlib.crc32(kind.encode()), int(seed)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


class RandomPolicy:
    """Independent uniform actions in [-1, 1], each held for one agent step."""

    def __init__(self, generator: np.random.Generator, action_size: int) -> None:
        self._generator = generator
        self._action_size = action_size

    def act(self, state: Array | None) -> Array:
        return self._generator.uniform(-1.0, 1.0, self._action_size).astype(np.float32)


class ScriptedPolicy:
    """Meta-World's own scripted expert, with noise: clip(expert(state) + noise_std * N(0, I), -1, 1).

    The noise is added to the expert's raw action, which may lie far outside [-1, 1]: an expert that wants to go
    fast is hardly disturbed, one that holds still is.
    """

    def __init__(self, task: str, generator: np.random.Generator, noise_std: float) -> None:
        try:
            from metaworld.policies import ENV_POLICY_MAP
        except ImportError as error:
            raise ImportError("scripted policies need the extra packages: pip install 'gwm[metaworld]'") from error
        if task not in ENV_POLICY_MAP:
            raise ValueError(f"no scripted policy for task {task!r}; known are {', '.join(sorted(ENV_POLICY_MAP))}")
        self._expert = ENV_POLICY_MAP[task]()
        self._generator = generator
        self._noise_std = noise_std

    def act(self, state: Array | None) -> Array:
        if state is None:
            raise ValueError("a scripted policy needs the observation 'state', which this environment lacks")
        with warnings.catch_warnings():
            # The expert warns whenever it asks for more than the clip allows, which it does by design.
            warnings.simplefilter("ignore")
            action = np.asarray(self._expert.get_action(np.asarray(state, np.float64)), np.float64)
        if self._noise_std > 0:
            action = action + self._noise_std * self._generator.standard_normal(action.shape)
        return np.clip(action, -1.0, 1.0).astype(np.float32)


def make_policy(
    kind: str, task: str, seed: int, *, action_size: int = 4, noise_std: float = NOISE_STD
) -> Policy:
    """kind: "expert" (or "scripted"), "noisy", "random". Raises ValueError for any other."""
    kind = "expert" if kind == "scripted" else kind
    if kind not in KINDS:
        raise ValueError(f"unknown policy {kind!r}; known are scripted, {', '.join(KINDS)}")
    generator = episode_generator(task, kind, seed)
    if kind == "random":
        return RandomPolicy(generator, action_size)
    return ScriptedPolicy(task, generator, noise_std if kind == "noisy" else 0.0)
