"""The kinds of policies and the law of their noise."""

from __future__ import annotations

import importlib
import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Kind in an episode's metadata -> what it does. "scripted" is another name of "expert" on the command line.
KINDS = ("expert", "noisy", "random", "mixture")
# Of the noisy expert, in action units: white Gaussian noise, added before the clip to [-1, 1].
NOISE_STD = 0.5


class Policy(Protocol):
    """Chooses one action at a time; used for a single episode."""

    # The observations that it looks at, by the names of the server's spec.
    needs: Sequence[str]

    def act(self, observations: Mapping[str, Array]) -> Array:
        """observations: one row each, without the row axis -> f32 [A] within the action range."""


def episode_generator(task: str, kind: str, seed: int) -> np.random.Generator:
    """The noise source of one episode; the same three keys always give the same stream."""
    key = [zlib.crc32(task.encode()), zlib.crc32(kind.encode()), int(seed)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


class RandomPolicy:
    """Independent uniform actions, each held for one agent step."""

    needs: Sequence[str] = ()

    def __init__(self, generator: np.random.Generator, action_size: int, low: float, high: float) -> None:
        self._generator = generator
        self._action_size = action_size
        self._low, self._high = low, high

    def act(self, observations: Mapping[str, Array]) -> Array:
        return self._generator.uniform(self._low, self._high, self._action_size).astype(np.float32)


class ScriptedPolicy:
    """Meta-World's own scripted expert, with noise: clip(expert(state) + noise_std * N(0, I), -1, 1).

    The noise is added to the expert's raw action, which may lie far outside [-1, 1]: an expert that wants to
    go fast is hardly disturbed, one that holds still is.
    """

    needs: Sequence[str] = ("state",)

    def __init__(self, task: str, generator: np.random.Generator, noise_std: float) -> None:
        try:
            from metaworld.policies import ENV_POLICY_MAP
        except ImportError as error:
            raise ImportError(
                "scripted policies need the extra packages: pip install 'gwm[metaworld]'"
            ) from error
        if task not in ENV_POLICY_MAP:
            raise ValueError(
                f"no scripted policy for task {task!r}; known are {', '.join(sorted(ENV_POLICY_MAP))}"
            )
        self._expert: Any = ENV_POLICY_MAP[task]()  # type: ignore[abstract]
        self._generator = generator
        self._noise_std = noise_std

    def act(self, observations: Mapping[str, Array]) -> Array:
        return self.act_with_noise(observations, self._noise_std)

    def act_with_noise(self, observations: Mapping[str, Array], noise_std: float) -> Array:
        """The same with a standard deviation for this step alone."""
        state = np.asarray(observations["state"], np.float64)
        with warnings.catch_warnings():
            # The expert warns whenever it asks for more than the clip allows, which it does by design.
            warnings.simplefilter("ignore")
            action = np.asarray(self._expert.get_action(state), np.float64)
        if noise_std > 0:
            action = action + noise_std * self._generator.standard_normal(action.shape)
        return np.clip(action, -1.0, 1.0).astype(np.float32)


class MixturePolicy:
    """In between expert and random: every few steps another way to act takes over.

    A segment lasts 5 to 20 steps and is one of three with equal probability: the expert; the expert with
    noise of a standard deviation of its own, uniform in [0, 1]; one uniform action held all along. Held
    actions take the arm to places that neither white noise nor an expert reaches.
    """

    needs: Sequence[str] = ("state",)

    def __init__(self, task: str, generator: np.random.Generator) -> None:
        self._expert = ScriptedPolicy(task, generator, 0.0)
        self._generator = generator
        self._steps_left = 0
        self._noise_std = 0.0
        self._held: Array | None = None

    def act(self, observations: Mapping[str, Array]) -> Array:
        if self._steps_left == 0:
            self._begin_segment()
        self._steps_left -= 1
        if self._held is not None:
            return self._held
        return self._expert.act_with_noise(observations, self._noise_std)

    def _begin_segment(self) -> None:
        self._steps_left = int(self._generator.integers(5, 21))
        way = int(self._generator.integers(3))
        self._noise_std = float(self._generator.uniform()) if way == 1 else 0.0
        self._held = self._generator.uniform(-1, 1, 4).astype(np.float32) if way == 2 else None


def policy_kind(name: str) -> str:
    """The kind that goes into an episode's metadata: "scripted" is an expert."""
    return "expert" if name == "scripted" else name


def make_policy(
    name: str,
    task: str,
    seed: int,
    *,
    action_size: int = 4,
    low: float = -1.0,
    high: float = 1.0,
    noise_std: float = NOISE_STD,
) -> Policy:
    """name: "expert" (or "scripted"), "noisy", "random", "mixture", or "MODULE:FACTORY" for a policy of your
    own, made by FACTORY(task=, seed=, action_size=). low, high: the action range of a random policy. Raises
    ValueError.
    """
    if ":" in name:
        return _load_policy(name, task, seed, action_size)
    kind = policy_kind(name)
    if kind not in KINDS:
        raise ValueError(
            f"unknown policy {name!r}; known are scripted, {', '.join(KINDS)} and MODULE:FACTORY"
        )
    generator = episode_generator(task, kind, seed)
    if kind == "random":
        # A range without bounds has no uniform law; [-1, 1] is as good as any other.
        bounded = np.isfinite(low) and np.isfinite(high)
        return RandomPolicy(generator, action_size, *((low, high) if bounded else (-1.0, 1.0)))
    if kind == "mixture":
        return MixturePolicy(task, generator)
    return ScriptedPolicy(task, generator, noise_std if kind == "noisy" else 0.0)


def _load_policy(name: str, task: str, seed: int, action_size: int) -> Policy:
    module_name, _, factory_name = name.partition(":")
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"cannot load policy {name!r}: {error}") from error
    policy: Policy = factory(task=task, seed=seed, action_size=action_size)
    return policy
