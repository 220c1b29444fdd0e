"""A session: environments on the server that are reset, stepped, imagined and looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from gwm._generated import scene_pb2, simulator_pb2, tensor_pb2
from gwm.channel import Connection
from gwm.errors import GwmError
from gwm.types import (
    Array,
    Camera,
    EpisodeFrame,
    Images,
    ImagineChunk,
    ResetResult,
    RgbdFrames,
    StepResult,
    Timing,
)
from gwm.wire import from_tensor, from_tensor_map, to_tensor

_OUTPUTS = {
    "rgb": scene_pb2.RENDER_OUTPUT_RGB,
    "depth": scene_pb2.RENDER_OUTPUT_DEPTH,
    "alpha": scene_pb2.RENDER_OUTPUT_ALPHA,
    "gaussians": scene_pb2.RENDER_OUTPUT_GAUSSIANS,
}
_RGB_DTYPES = {"u8": tensor_pb2.DTYPE_U8, "f32": tensor_pb2.DTYPE_F32}
# A rollout may be long; the server does not limit it either.
IMAGINE_TIMEOUT_S = 600.0
# The lease frees what a close that got lost leaves behind, so do not wait long for it.
CLOSE_TIMEOUT_S = 5.0


class Session:
    """Made by `Client.create_session`. Calls name environments by `env_ids`; None means all, in order."""

    def __init__(self, connection: Connection, reply: simulator_pb2.Session) -> None:
        self._connection = connection
        self._closed = False
        self.session_id: str = reply.session_id
        self.server_instance_id: str = reply.server_instance_id
        self.num_envs: int = reply.num_envs
        self.seed: int = reply.seed
        self.observations: tuple[str, ...] = tuple(reply.observations)
        self.max_episode_steps: int = reply.max_episode_steps

    def status(self) -> Any:
        """The session's gwm.v1.Session message as it is now: phases, step counts, lease. Renews the lease."""
        request = simulator_pb2.GetSessionRequest(session_id=self.session_id)
        return self._call("GetSession", request, idempotent=True)

    def reset(
        self,
        env_ids: Sequence[int] | None = None,
        *,
        seed: int | None = None,
        frames: RgbdFrames | None = None,
        episode: EpisodeFrame | None = None,
        pool_indices: Sequence[int] | None = None,
        observations: Sequence[str] | None = None,
    ) -> ResetResult:
        """Starts new episodes from `frames`, from `episode`, or from the server's pool of real frames.

        seed: replaces the environments' seed, so that the same actions give the same bits again.
        """
        if frames is not None and episode is not None:
            raise ValueError("give frames or episode, not both")
        request = simulator_pb2.ResetRequest(
            session_id=self.session_id,
            env_ids=env_ids,
            seed=seed,
            frames=frames.to_proto() if frames is not None else None,
            episode=scene_pb2.EpisodeFrame(path=episode.path, frame=episode.frame) if episode else None,
            observations=observations,
            pool_indices=pool_indices,
        )
        reply = self._call("Reset", request, idempotent=False)
        return ResetResult(
            observations=from_tensor_map(reply.observations),
            episode=np.array(reply.episode, np.uint64),
            pool_indices=np.array(reply.pool_indices, np.uint32),
            intrinsics=from_tensor(reply.intrinsics) if reply.HasField("intrinsics") else None,
            world_from_cam=from_tensor(reply.world_from_cam) if reply.HasField("world_from_cam") else None,
            timing=_timing(reply.timing),
        )

    def step(
        self,
        actions: Any,
        env_ids: Sequence[int] | None = None,
        *,
        observations: Sequence[str] | None = None,
        sampler_calls: int | None = None,
        camera: Camera | None = None,
    ) -> StepResult:
        """Advances each environment by one action; actions: f32 [n, A] (or [A] when n is 1)."""
        batch = np.asarray(actions, np.float32)
        request = simulator_pb2.StepRequest(
            session_id=self.session_id,
            env_ids=env_ids,
            actions=to_tensor(batch[None] if batch.ndim == 1 else batch),
            observations=observations,
            sampler_calls=sampler_calls,
            camera=camera.to_proto() if camera is not None else None,
        )
        reply = self._call("Step", request, idempotent=False)
        return StepResult(
            observations=from_tensor_map(reply.observations),
            reward=from_tensor(reply.reward),
            terminated=from_tensor(reply.terminated),
            truncated=from_tensor(reply.truncated),
            success=from_tensor(reply.success),
            success_probability=from_tensor(reply.success_probability),
            step_index=np.array(reply.step_index, np.uint64),
            failed=_failed(reply.row_status, len(reply.step_index)),
            timing=_timing(reply.timing),
        )

    def render(
        self,
        env_ids: Sequence[int] | None = None,
        *,
        cameras: Sequence[Camera] = (),
        outputs: Sequence[str] = ("rgb",),
        rgb_dtype: str = "u8",
    ) -> Images:
        """Images of the present states; changes nothing. outputs: of "rgb", "depth", "alpha", "gaussians"."""
        request = simulator_pb2.RenderRequest(
            session_id=self.session_id, env_ids=env_ids, **render_fields(cameras, outputs, rgb_dtype)
        )
        return Images.from_proto(self._call("Render", request, idempotent=True).images)

    def imagine(
        self,
        actions: Any,
        *,
        env_id: int = 0,
        branches: int = 0,
        seed: int | None = None,
        outputs: Sequence[str] = (),
        stride: int = 1,
        sampler_calls: int | None = None,
        camera: Camera | None = None,
        timeout_s: float = IMAGINE_TIMEOUT_S,
    ) -> Iterator[ImagineChunk]:
        """Rolls one environment forward on a copy; actions: f32 [B, T, A] (or [T, A] for one branch).

        Yields a chunk per `stride` steps. The session does not change; leaving the loop early cancels the
        rollout.
        """
        batch = np.asarray(actions, np.float32)
        request = simulator_pb2.ImagineRequest(
            session_id=self.session_id,
            env_id=env_id,
            actions=to_tensor(batch[None] if batch.ndim == 2 else batch),
            branches=branches,
            seed=seed,
            outputs=outputs,
            stride=stride,
            sampler_calls=sampler_calls,
            camera=camera.to_proto() if camera is not None else None,
        )
        stream = self._connection.stream("simulator", "Imagine", request, timeout_s=timeout_s)
        with contextlib.closing(stream):  # type: ignore[type-var]
            for chunk in stream:
                done = from_tensor(chunk.done)
                yield ImagineChunk(
                    t=chunk.t,
                    reward=from_tensor(chunk.reward),
                    terminated=from_tensor(chunk.terminated),
                    success=from_tensor(chunk.success),
                    done=done,
                    failed=_failed(chunk.row_status, len(done)),
                    observations=from_tensor_map(chunk.observations),
                )

    def close(self) -> None:
        """Gives the states back; safe to call twice. The server need not be there any more."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(GwmError):
            request = simulator_pb2.CloseSessionRequest(session_id=self.session_id)
            self._connection.call(
                "simulator", "CloseSession", request, idempotent=True, timeout_s=CLOSE_TIMEOUT_S
            )

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, method: str, request: Any, *, idempotent: bool) -> Any:
        return self._connection.call("simulator", method, request, idempotent=idempotent)


def render_fields(cameras: Sequence[Camera], outputs: Sequence[str], rgb_dtype: str) -> dict[str, Any]:
    """The fields that RenderRequest and DecodeRequest share. Raises ValueError for unknown names."""
    for name in outputs:
        if name not in _OUTPUTS:
            raise ValueError(f"unknown output {name!r}; allowed are {', '.join(_OUTPUTS)}")
    if rgb_dtype not in _RGB_DTYPES:
        raise ValueError(f"rgb_dtype is {rgb_dtype!r}; allowed are {', '.join(_RGB_DTYPES)}")
    return {
        "cameras": [camera.to_proto() for camera in cameras],
        "outputs": [_OUTPUTS[name] for name in outputs],
        "rgb_dtype": _RGB_DTYPES[rgb_dtype],
    }


def _failed(statuses: Sequence[simulator_pb2.RowStatus], rows: int) -> Array:
    failed = np.zeros(rows, np.bool_)
    for row, status in enumerate(statuses):
        failed[row] = status.code != 0
    return failed


def _timing(timing: simulator_pb2.StepTiming) -> Timing:
    return Timing(
        queue_s=timing.queue.seconds + timing.queue.nanos * 1e-9,
        device_s=timing.gpu.seconds + timing.gpu.nanos * 1e-9,
        batch_size=timing.batch_size,
        sampler_calls=timing.sampler_calls,
    )
