"""Turns the episodes of any address into episode files."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
from gwm.envs.metaworld import SOURCE, depth_to_mm
from gwm.episode import Episode
from gwm.rollout import Trajectory
from gwm.types import Spec

# What an episode file is made of; "state" goes in when it is offered.
REQUIRED = ("rgb", "depth")
OPTIONAL = ("state",)


def recorded_observations(spec: Spec) -> list[str]:
    return [*REQUIRED, *(name for name in OPTIONAL if name in spec.observations)]


def episode_path(out: Path, task: str, kind: str, seed: int) -> Path:
    return out / task / f"{kind}_{seed}.safetensors.zst"


def to_episode(trajectory: Trajectory, spec: Spec, task: str, kind: str) -> Episode:
    """The trajectory as an episode. Raises ValueError when the server told no cameras."""
    if trajectory.intrinsics is None or trajectory.world_from_cam is None:
        raise ValueError(f"{spec.model_id} tells no camera matrices, which an episode file needs")
    state = trajectory.observations.get("state")
    return Episode(
        rgb=np.stack(trajectory.observations["rgb"]),
        depth_mm=depth_to_mm(np.stack(trajectory.observations["depth"])),
        intrinsics=trajectory.intrinsics,
        world_from_cam=trajectory.world_from_cam,
        action=np.stack(trajectory.actions),
        reward=np.array(trajectory.rewards, np.float32),
        terminated=np.array(trajectory.terminated, np.uint8),
        success=np.array(trajectory.success, np.uint8),
        state=None if state is None else np.stack(state),
        metadata=episode_metadata(spec, task, kind, trajectory.seed),
    )


def episode_metadata(spec: Spec, task: str, kind: str, seed: int) -> dict[str, str]:
    """As in the published episodes; a learned world is named as its own source."""
    metadata = {"task": task, "kind": kind, "seed": str(seed), "source": spec.model_id}
    if spec.control_dt_s > 0:
        metadata["control_dt"] = f"{spec.control_dt_s:g}"
    if spec.model_id.startswith("metaworld:"):
        changed = parse_qs(spec.model_id.partition("?")[2])
        metadata["source"] = SOURCE
        metadata["camera"] = changed.get("camera", ["corner4"])[0]
        metadata["action_repeat"] = changed.get("action_repeat", ["2"])[0]
    elif spec.checkpoint_digest:
        metadata["source"] = f"{spec.model_id} {spec.checkpoint_digest[:16]}"
    return metadata
