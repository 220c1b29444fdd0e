"""The baseline of C10, a Python server over torch_world.py: `python -m bench.python_world CHECKPOINT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gwm._generated import session_pb2, simulator_pb2_grpc, step_pb2, tensor_pb2

from bench.python_echo import serve
from bench.settings import THREADS
from bench.torch_world import Anchors, Camera, State, TorchWorld


class Simulator(simulator_pb2_grpc.SimulatorServicer):
    """One environment, no sessions to speak of."""

    def __init__(self, world: TorchWorld) -> None:
        self._world = world
        self._state: State | None = None
        self._anchors: Anchors | None = None

    def CreateSession(self, request: Any, context: Any) -> Any:
        return session_pb2.Session(session_id="torch", num_envs=1)

    def CloseSession(self, request: Any, context: Any) -> Any:
        return session_pb2.CloseSessionReply()

    def Reset(self, request: Any, context: Any) -> Any:
        with torch.inference_mode():
            self._state, self._anchors = self._world.reset(request.pool_indices[0])
        return step_pb2.ResetReply()

    def Step(self, request: Any, context: Any) -> Any:
        assert self._state is not None
        assert self._anchors is not None
        action = torch.from_numpy(np.frombuffer(request.actions.data, np.float32).copy())[None]
        with torch.inference_mode():
            self._state, reward = self._world.step(self._state, self._anchors, action)
            image = self._world.render(self._state, self._anchors, _camera(request.camera))
        return step_pb2.StepReply(
            reward=tensor_pb2.Tensor(
                dtype=tensor_pb2.DTYPE_F32, shape=[1], data=np.float32(reward).tobytes()
            ),
            observations={
                "rgb": tensor_pb2.Tensor(
                    dtype=tensor_pb2.DTYPE_U8, shape=[1, 1, *image.shape], data=image.tobytes()
                )
            },
            step_index=[self._state.age],
        )


def _camera(message: Any) -> Camera:
    return Camera(
        torch.tensor(list(message.intrinsics)).reshape(3, 3),
        torch.tensor(list(message.world_from_cam)).reshape(4, 4),
        message.width,
        message.height,
    )


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    serve(Simulator(TorchWorld(Path(sys.argv[1]))))
