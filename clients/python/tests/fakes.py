"""Small stand-ins: an environment with exact dynamics, and a model's optional RPCs over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from gwm._generated import (
    perception_pb2,
    perception_pb2_grpc,
    scene_pb2,
    server_pb2,
    server_pb2_grpc,
    simulator_pb2,
    simulator_pb2_grpc,
    tensor_pb2,
)
from gwm.serving.backend import BackendSpec, Field, Outcome, UnsupportedError, View, unit_action
from gwm.serving.serve import EnvServer
from gwm.serving.worker import InProcessWorker
from gwm.wire import from_tensor, to_tensor

SIDE = 64
INTRINSICS = np.array([[50, 0, 32], [0, 50, 32], [0, 0, 1]], np.float32)


class PointBackend:
    """A dot moves by 0.1 * action in the unit square; reaching the right edge ends the episode with success.

    reward = x after the step; the observation "state" is the position; "rgb" shows the dot; "depth" is 1 m.
    break_at: the step of an episode at which the environment raises; poison_at: at which its reward is NaN.
    """

    def __init__(self, *, horizon: int = 0, break_at: int = 0, poison_at: int = 0) -> None:
        self._break_at, self._poison_at, self._horizon = break_at, poison_at, horizon
        self._position = np.zeros(2)
        self._step = 0
        self.closed = False
        view = View(INTRINSICS, np.eye(4, dtype=np.float32), SIDE, SIDE)
        self.spec = BackendSpec(
            model_id="fake:point",
            task="point",
            action=unit_action(2),
            observations=(
                Field("rgb", "U8", (1, SIDE, SIDE, 3), 0, 255),
                Field("depth", "F32", (1, SIDE, SIDE), 0, 65),
                Field("state", "F32", (2,), -np.inf, np.inf),
            ),
            views=(view,),
            image_size=(SIDE, SIDE),
            horizon=horizon,
            control_dt_s=0.05,
            moves_camera=True,
        )

    def reset(self, seed: int, observations: Sequence[str]) -> dict[str, Any]:
        self._position = np.random.default_rng(seed).uniform(0.1, 0.5, 2)
        self._step = 0
        return self._observe(observations)

    def step(self, action: np.ndarray, observations: Sequence[str], pose: np.ndarray | None) -> Outcome:
        self._step += 1
        if self._step == self._break_at:
            raise RuntimeError("the dot fell off")
        self._position = np.clip(self._position + 0.1 * np.asarray(action, np.float64), 0, 1)
        reached = bool(self._position[0] >= 1)
        reward = float("nan") if self._step == self._poison_at else float(self._position[0])
        truncated = self._step == self._horizon
        return Outcome(reward, reached, truncated, reached, self._observe(observations))

    def render(self, outputs: Sequence[str], poses: Sequence[np.ndarray]) -> dict[str, Any]:
        if "alpha" in outputs:
            raise UnsupportedError("no alpha")
        count = max(len(poses), 1)
        observed = self._observe(outputs)
        return {name: np.repeat(value, count, 0) for name, value in observed.items()}

    def close(self) -> None:
        self.closed = True

    def _observe(self, names: Sequence[str]) -> dict[str, Any]:
        observed: dict[str, Any] = {}
        if "rgb" in names:
            image = np.zeros((1, SIDE, SIDE, 3), np.uint8)
            column, row = (np.minimum(self._position * SIDE, SIDE - 1)).astype(int)
            image[0, row, column] = 255
            observed["rgb"] = image
        if "depth" in names:
            observed["depth"] = np.ones((1, SIDE, SIDE), np.float32)
        if "state" in names:
            observed["state"] = self._position.astype(np.float32)
        return observed


@contextmanager
def point_server(
    *, max_envs: int = 8, max_sessions: int = 8, clock_s: Any = None, **options: Any
) -> Iterator[EnvServer]:
    """An EnvServer over PointBackend in this process, on a free port."""
    extra = {} if clock_s is None else {"clock_s": clock_s}
    server = EnvServer(
        lambda: InProcessWorker(PointBackend(**options)),
        max_envs=max_envs,
        max_sessions=max_sessions,
        **extra,
    )
    with server:
        yield server


class FakeModel(
    simulator_pb2_grpc.SimulatorServicer,
    perception_pb2_grpc.PerceptionServicer,
    server_pb2_grpc.ServerServicer,
):
    """The RPCs that only a model has, with answers that can be computed by hand; counts its calls.

    Imagine: reward of a step = sum of its action; "latent" = sum of all actions so far. Encode: latents =
    mean colour. Observe: latent_error = mean colour. refuse_first: so many calls of each RPC fail with
    UNAVAILABLE before one succeeds, with `pushback_ms` as the wait that they ask for. replays_calls: what
    sessions say of themselves.
    """

    def __init__(self, refuse_first: int = 0, replays_calls: bool = False, pushback_ms: str = "") -> None:
        self.calls: dict[str, int] = {}
        self.steps: list[Any] = []
        self.observed: list[Any] = []
        self._refuse_first = refuse_first
        self._replays_calls = replays_calls
        self._pushback_ms = pushback_ms
        self.limits = server_pb2.Limits(max_message_bytes=8 << 20, max_pixels_per_render=1 << 16)

    def _count(self, name: str, context: grpc.ServicerContext) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1
        if self.calls[name] <= self._refuse_first:
            if self._pushback_ms:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", self._pushback_ms),))
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")

    def GetLimits(self, request: Any, context: Any) -> Any:
        return self.limits

    def GetSpec(self, request: Any, context: Any) -> Any:
        self._count("GetSpec", context)
        return simulator_pb2.SimulatorSpec(model_id="fake:model", contract_version="1.0")

    def CreateSession(self, request: Any, context: Any) -> Any:
        self._count("CreateSession", context)
        return simulator_pb2.Session(
            session_id="s",
            num_envs=request.num_envs,
            seed=request.seed,
            replays_calls=self._replays_calls,
        )

    def CloseSession(self, request: Any, context: Any) -> Any:
        self._count("CloseSession", context)
        return simulator_pb2.CloseSessionReply()

    def Step(self, request: Any, context: Any) -> Any:
        self.steps.append(request)
        self._count("Step", context)
        rows = request.actions.shape[0]
        flags = to_tensor(np.zeros(rows, np.bool_))
        rewards = to_tensor(from_tensor(request.actions).sum(1), np.float32)
        return simulator_pb2.StepReply(
            reward=rewards,
            terminated=flags,
            truncated=flags,
            success=flags,
            success_probability=rewards,
            step_index=[1] * rows,
            row_status=[simulator_pb2.RowStatus(code=15 if row else 0) for row in range(rows)],
        )

    def Imagine(self, request: Any, context: Any) -> Any:
        self._count("Imagine", context)
        actions = from_tensor(request.actions)
        branches = request.branches or actions.shape[0]
        actions = np.broadcast_to(actions, (branches, *actions.shape[1:]))
        stride = request.stride or 1
        for begin in range(0, actions.shape[1], stride):
            end = min(begin + stride, actions.shape[1])
            flags = np.zeros((branches, end - begin), np.bool_)
            observations = (
                {"latent": to_tensor(actions[:, :end].sum(1))} if "latent" in request.outputs else {}
            )
            yield simulator_pb2.ImagineChunk(
                t=end,
                reward=to_tensor(actions[:, begin:end].sum(2)),
                terminated=to_tensor(flags),
                success=to_tensor(flags),
                done=to_tensor(flags[:, 0]),
                observations=observations,
            )

    def Observe(self, request: Any, context: Any) -> Any:
        self.observed.append(request)
        self._count("Observe", context)
        rgb = from_tensor(request.frames.rgb)
        errors = rgb.reshape(len(rgb), -1).mean(1).astype(np.float32)
        return simulator_pb2.ObserveReply(
            latent_error=to_tensor(errors),
            psnr_db=to_tensor(100 - errors),
            episode=[0] * len(rgb),
            step_index=[3] * len(rgb),
        )

    def Encode(self, request: Any, context: Any) -> Any:
        self._count("Encode", context)
        rgb = from_tensor(request.frames.rgb)
        means = rgb.reshape(len(rgb), 1, -1, 3).mean(2).astype(np.float32)
        reply = perception_pb2.EncodeReply(
            latents=to_tensor(means), centres=to_tensor(np.zeros_like(means)), checkpoint_digest="d1"
        )
        count = request.gaussian_count
        for _ in range(len(rgb) if count else 0):
            reply.gaussians.add(
                means=to_tensor(np.zeros((count, 3), np.float32)),
                log_scales=to_tensor(np.zeros((count, 3), np.float32)),
                quats=to_tensor(np.zeros((count, 4), np.float32)),
                sh=to_tensor(np.zeros((count, 1, 3), np.float32)),
                opacity_logits=to_tensor(np.zeros(count, np.float32)),
            )
        return reply

    def Decode(self, request: Any, context: Any) -> Any:
        rows = request.latents.shape[0]
        images = scene_pb2.RenderedImages(rgb=to_tensor(np.full((rows, 1, 2, 2, 3), 7, np.uint8)))
        return perception_pb2.DecodeReply(images=images)

    def Features(self, request: Any, context: Any) -> Any:
        rows = request.frames.rgb.shape[0]
        pooled = request.pooling == perception_pb2.FEATURE_POOLING_ATTENTION
        dtype = np.float16 if request.dtype == tensor_pb2.DTYPE_F16 else np.float32
        reply = perception_pb2.FeaturesReply(
            features=to_tensor(np.ones((rows, 8 if pooled else 2, 5), dtype)),
            checkpoint_digest="d1",
            cache_key="features/d1",
        )
        if not pooled:
            reply.centres.CopyFrom(to_tensor(np.zeros((rows, 2, 3), np.float32)))
        return reply


@contextmanager
def model_server(model: FakeModel) -> Iterator[str]:
    """Serves `model` in this process; yields the address."""
    server = grpc.server(ThreadPoolExecutor(4))
    simulator_pb2_grpc.add_SimulatorServicer_to_server(model, server)
    perception_pb2_grpc.add_PerceptionServicer_to_server(model, server)
    server_pb2_grpc.add_ServerServicer_to_server(model, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
