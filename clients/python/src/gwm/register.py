"""Makes `gymnasium.make("gwm/World-v0")` known; `import gwm` does it when Gymnasium is installed."""

from __future__ import annotations

import importlib.util

WORLD_ID = "gwm/World-v0"


def register_envs() -> None:
    """Registers gwm/World-v0 once; does nothing without Gymnasium."""
    if importlib.util.find_spec("gymnasium") is None:
        return
    import gymnasium

    if WORLD_ID in gymnasium.registry:
        return
    gymnasium.register(
        id=WORLD_ID,
        entry_point="gwm.envs.world:WorldEnv",
        vector_entry_point="gwm.envs.world_vector:WorldVectorEnv",
    )
