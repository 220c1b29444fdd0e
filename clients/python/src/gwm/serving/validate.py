"""Checks of requests; each raises a Refusal that names the field, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gwm._generated import scene_pb2, server_pb2, simulator_pb2, tensor_pb2
from gwm.serving.backend import BackendSpec, Field
from gwm.serving.spec_message import AUTO_RESETS
from gwm.serving.status import Refusal
from gwm.wire import TensorError, dtype_name, from_tensor

Array = npt.NDArray[Any]


_MAX_NAME_CHARACTERS = 64


def name(value: str, where: str) -> str:
    """What a client calls itself or its call; may be empty."""
    if len(value) > _MAX_NAME_CHARACTERS or not (value.isascii() and (value.isprintable() or not value)):
        raise Refusal(
            "BAD_FIELD", f"is {value[:80]!r}; up to 64 printable ASCII characters are allowed", where
        )
    return value


def creation(request: Any, limits: server_pb2.Limits) -> tuple[int, simulator_pb2.AutoReset]:
    """What only a model could do is not asked for -> the number of environments and the way they reset."""
    num_envs = request.num_envs or 1
    if num_envs > limits.max_envs_per_session:
        raise Refusal(
            "LIMIT", f"is {num_envs}; at most {limits.max_envs_per_session} are allowed", "num_envs"
        )
    auto_reset = request.auto_reset or simulator_pb2.AUTO_RESET_NONE
    if auto_reset not in AUTO_RESETS:
        raise Refusal(
            "BAD_FIELD",
            f"is {request.auto_reset}; SimulatorSpec.auto_resets lists what is allowed",
            "auto_reset",
        )
    if request.sampler.calls:
        raise Refusal(
            "BAD_FIELD", f"is {request.sampler.calls}; a real environment has no sampler", "sampler.calls"
        )
    if request.max_expected_error:
        raise Refusal(
            "UNSUPPORTED",
            f"is {request.max_expected_error:g}; a real environment expects no error, 0 is allowed",
            "max_expected_error",
        )
    return num_envs, auto_reset


def env_ids(requested: Sequence[int], num_envs: int) -> list[int]:
    """The rows of a call: the named environments, or all."""
    if not requested:
        return list(range(num_envs))
    seen: set[int] = set()
    for position, env_id in enumerate(requested):
        if env_id >= num_envs:
            raise Refusal(
                "BAD_FIELD",
                f"is {env_id}; the session has environments 0 to {num_envs - 1}",
                f"env_ids[{position}]",
            )
        if env_id in seen:
            raise Refusal("BAD_FIELD", f"{env_id} is named twice; ids must be unique", f"env_ids[{position}]")
        seen.add(env_id)
    return list(requested)


def reset_ids(request: Any, num_envs: int) -> list[int]:
    """The rows of a Reset: env_ids, or those of its mask."""
    if not request.HasField("reset_mask"):
        return env_ids(request.env_ids, num_envs)
    if request.env_ids:
        raise Refusal("BAD_FIELD", "is only allowed without env_ids", "reset_mask")
    mask = request.reset_mask
    if mask.dtype != tensor_pb2.DTYPE_BOOL or list(mask.shape) != [num_envs]:
        message = f"is {dtype_name(mask.dtype)} {list(mask.shape)}; expected BOOL [{num_envs}]"
        raise Refusal("BAD_TENSOR", message, "reset_mask")
    try:
        rows = [int(row) for row in np.flatnonzero(from_tensor(mask))]
    except TensorError as error:
        raise Refusal("BAD_TENSOR", str(error), "reset_mask") from error
    if not rows:
        raise Refusal("BAD_TENSOR", "is all false; at least one environment is to be named", "reset_mask")
    return rows


def actions(tensor: tensor_pb2.Tensor, rows: int, field: Field) -> Array:
    """F32 [rows, A], finite, within the range of `field`."""
    where = "actions"
    if tensor.dtype != tensor_pb2.DTYPE_F32:
        raise Refusal("BAD_TENSOR", f"dtype is {dtype_name(tensor.dtype)}; expected F32", f"{where}.dtype")
    expected = [rows, *field.shape]
    if list(tensor.shape) != expected:
        raise Refusal("BAD_TENSOR", f"shape is {list(tensor.shape)}; expected {expected}", f"{where}.shape")
    try:
        values = from_tensor(tensor)
    except TensorError as error:
        raise Refusal("BAD_TENSOR", str(error), f"{where}.data") from error
    wrong = ~np.isfinite(values) | (values < field.min) | (values > field.max)
    if wrong.any():
        first = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise Refusal(
            "BAD_TENSOR",
            f"value at {list(first)} is {values[first]:g}; allowed are {field.min:g} to {field.max:g}",
            where,
        )
    return values


def observations(names: Sequence[str], spec: BackendSpec) -> list[str]:
    known = [item.name for item in spec.observations]
    for position, name in enumerate(names):
        if name not in known:
            raise Refusal(
                "BAD_FIELD",
                f"is {name!r}; this server offers {', '.join(known)}",
                f"observations[{position}]",
            )
    return list(dict.fromkeys(names))


def camera_pose(camera: scene_pb2.Camera, spec: BackendSpec, where: str) -> Array:
    """The pose f32 [4, 4] of a camera that has the environment's own intrinsics and image size."""
    if not spec.moves_camera or not spec.views:
        raise Refusal("UNSUPPORTED", f"{spec.model_id} cannot be seen from another camera", where)
    own = spec.views[0]
    for name, numbers in (("intrinsics", 9), ("world_from_cam", 16)):
        values = np.array(getattr(camera, name), np.float32)
        if values.size != numbers or not np.isfinite(values).all():
            raise Refusal(
                "BAD_FIELD", f"has {values.size} numbers; expected {numbers} finite ones", f"{where}.{name}"
            )
    if (camera.width, camera.height) != (own.width, own.height):
        raise Refusal(
            "UNSUPPORTED",
            f"size is {camera.width}x{camera.height}; this server renders {own.width}x{own.height} only",
            where,
        )
    if not np.allclose(np.array(camera.intrinsics).reshape(3, 3), own.intrinsics, atol=1e-2):
        raise Refusal(
            "UNSUPPORTED",
            "differs from the spec's camera; this server has no other lens",
            f"{where}.intrinsics",
        )
    pose = np.array(camera.world_from_cam, np.float32).reshape(4, 4)
    rotation = pose[:3, :3].astype(np.float64)
    rigid = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) and np.linalg.det(rotation) > 0
    if not rigid or not np.allclose(pose[3], [0, 0, 0, 1], atol=1e-6):
        raise Refusal("BAD_FIELD", "is no rigid transform", f"{where}.world_from_cam")
    return pose
