"""What the server needs of one environment, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy.typing as npt

Array = npt.NDArray[Any]


class UnsupportedError(Exception):
    """The environment cannot do this; becomes UNIMPLEMENTED / UNSUPPORTED."""


@dataclass(frozen=True)
class Field:
    """One array, without its leading row axis."""

    name: str
    dtype: str  # a DType without its prefix: "U8", "F32"
    shape: tuple[int, ...]
    min: float
    max: float


@dataclass(frozen=True)
class View:
    """A pinhole camera, OpenCV axes."""

    intrinsics: Array  # f32 [3, 3], pixels
    world_from_cam: Array  # f32 [4, 4], metres
    width: int
    height: int


@dataclass(frozen=True)
class BackendSpec:
    """What an environment offers; it stays the same for its whole life."""

    model_id: str  # "metaworld:hammer-v3"
    task: str
    action: Field
    observations: tuple[Field, ...]
    views: tuple[View, ...] = ()  # of "rgb" and "depth"; empty when the cameras are not known
    image_size: tuple[int, int] = (0, 0)  # height, width
    horizon: int = 0
    control_dt_s: float = 0.0
    moves_camera: bool = False  # images can be asked for from other poses

    def observation(self, name: str) -> Field | None:
        return next((item for item in self.observations if item.name == name), None)


@dataclass(frozen=True)
class Outcome:
    """The result of one step."""

    reward: float
    terminated: bool
    truncated: bool
    success: bool
    observations: dict[str, Array] = field(default_factory=dict)


class Backend(Protocol):
    """One environment. Used by one thread at a time."""

    @property
    def spec(self) -> BackendSpec: ...

    def reset(self, seed: int, observations: Sequence[str]) -> dict[str, Array]:
        """Starts the episode that `seed` names, whatever happened before."""

    def step(self, action: Array, observations: Sequence[str], pose: Array | None) -> Outcome:
        """pose: f32 [4, 4], where images are seen from instead of the environment's own cameras."""

    def render(self, outputs: Sequence[str], poses: Sequence[Array]) -> dict[str, Array]:
        """Images of the present state from `poses` (none: its own cameras): "rgb" u8 [C, H, W, 3] and "depth"
        f32 [C, H, W], metres."""

    def close(self) -> None: ...


def make_backend(name: str, options: dict[str, Any] | None = None) -> Backend:
    """name: "metaworld:TASK", or the id of any Gymnasium environment. Raises ValueError or ImportError."""
    options = dict(options or {})
    if name.startswith("metaworld:"):
        from gwm.serving.metaworld_backend import MetaWorldBackend

        return MetaWorldBackend(name.removeprefix("metaworld:"), options)
    from gwm.serving.gymnasium_backend import GymnasiumBackend

    return GymnasiumBackend(name, options)


def unit_action(size: int) -> Field:
    return Field("action", "F32", (size,), -1.0, 1.0)
