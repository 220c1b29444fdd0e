"""A gwm server whose worlds never move: it shows the frame that it was reset from, whatever the actions.

Its PSNR must equal that of repeating the last frame: a check of the whole evaluation over a real connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from gwm._generated import simulator_pb2, simulator_pb2_grpc
from gwm.wire import from_tensor, to_tensor

SIDE = 64


class StillWorld(simulator_pb2_grpc.SimulatorServicer):
    def __init__(self, context_frames: int) -> None:
        self.context_frames = context_frames
        self.rgb: dict[int, Any] = {}
        self.depth_m: dict[int, Any] = {}
        self.num_envs = 0
        self.steps = 0

    def GetSpec(self, request: Any, context: Any) -> Any:
        return simulator_pb2.SimulatorSpec(model_id="still", device="cpu", context_frames=self.context_frames)

    def CreateSession(self, request: Any, context: Any) -> Any:
        self.num_envs = request.num_envs
        return simulator_pb2.Session(
            session_id="s", num_envs=request.num_envs, observations=request.observations
        )

    def CloseSession(self, request: Any, context: Any) -> Any:
        return simulator_pb2.CloseSessionReply()

    def Reset(self, request: Any, context: Any) -> Any:
        frames, depths = from_tensor(request.frames.rgb), from_tensor(request.frames.depth_mm)
        rows = list(request.env_ids) or list(range(self.num_envs))
        for index, row in enumerate(rows):
            self.rgb[row] = frames[index, -1]
            self.depth_m[row] = depths[index, -1].astype(np.float32) / 1000
        reply = simulator_pb2.ResetReply(episode=[0] * len(rows))
        reply.observations["rgb"].CopyFrom(to_tensor(np.stack([self.rgb[row] for row in rows])))
        return reply

    def Step(self, request: Any, context: Any) -> Any:
        rows = list(request.env_ids) or list(range(self.num_envs))
        self.steps += len(rows)
        reply = simulator_pb2.StepReply(
            reward=to_tensor(np.zeros(len(rows), np.float32)),
            terminated=to_tensor(np.zeros(len(rows), np.bool_)),
            truncated=to_tensor(np.zeros(len(rows), np.bool_)),
            success=to_tensor(np.zeros(len(rows), np.bool_)),
            success_probability=to_tensor(np.zeros(len(rows), np.float32)),
            step_index=[1] * len(rows),
        )
        reply.observations["rgb"].CopyFrom(to_tensor(np.stack([self.rgb[row] for row in rows])))
        return reply

    def Render(self, request: Any, context: Any) -> Any:
        rows = list(request.env_ids) or list(range(self.num_envs))
        reply = simulator_pb2.RenderReply()
        rgb = np.stack([self.rgb[row] for row in rows])
        as_floats = request.rgb_dtype == 6
        reply.images.rgb.CopyFrom(to_tensor(rgb.astype(np.float32) / 255 if as_floats else rgb))
        reply.images.depth.CopyFrom(to_tensor(np.stack([self.depth_m[row] for row in rows])))
        cloud = reply.images.gaussians.add()
        for name, shape in (("means", (5, 3)), ("log_scales", (5, 3)), ("quats", (5, 4)), ("sh", (5, 1, 3))):
            getattr(cloud, name).CopyFrom(to_tensor(np.ones(shape, np.float32)))
        cloud.opacity_logits.CopyFrom(to_tensor(np.ones(5, np.float32)))
        return reply


@contextmanager
def serving(world: StillWorld) -> Iterator[str]:
    """Yields the address."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    simulator_pb2_grpc.add_SimulatorServicer_to_server(world, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
