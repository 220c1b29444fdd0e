"""Gymnasium spaces of what a server offers."""

from __future__ import annotations

from typing import Any

import numpy as np
from gwm.types import Array, FieldSpec, Spec
from gymnasium import spaces

# What `obs=` of gwm/World-v0 can be: the name of the server's observation.
OBSERVATION_MODES = ("rgb", "latent", "state")


def action_space(spec: Spec) -> spaces.Box:
    """f32 [A] within the server's range."""
    low, high = spec.action.min, spec.action.max
    return spaces.Box(low, high, shape=spec.action.shape, dtype=np.float32)


def observation_space(spec: Spec, mode: str, view: int) -> spaces.Box:
    """The space of mode "rgb" (u8 [H, W, 3] of one view), "latent" (f32 [M, L]) or "state" (f32 [S]).

    Raises ValueError when the mode or the view is unknown, or when the server does not offer it.
    """
    field = require_observation(spec, mode)
    if mode == "rgb":
        views = field.shape[0]
        if not 0 <= view < views:
            raise ValueError(f"view is {view}; the server offers views 0 to {views - 1}")
        return spaces.Box(0, 255, shape=field.shape[1:], dtype=np.uint8)
    dtype: Any = np.float32
    return spaces.Box(
        float(np.float32(field.min)), float(np.float32(field.max)), shape=field.shape, dtype=dtype
    )


def require_observation(spec: Spec, mode: str) -> FieldSpec:
    if mode not in OBSERVATION_MODES:
        raise ValueError(f"obs is {mode!r}; allowed are {', '.join(OBSERVATION_MODES)}")
    if mode not in spec.observations:
        offered = ", ".join(spec.observations) or "none"
        raise ValueError(f"obs is {mode!r}, but {spec.model_id} offers only these observations: {offered}")
    return spec.observations[mode]


def select_view(observation: Array, mode: str, view: int) -> Array:
    """Rows of the wire [n, ...] -> rows of the space: takes one view of "rgb"."""
    return np.ascontiguousarray(observation[:, view]) if mode == "rgb" else observation
