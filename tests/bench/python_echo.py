"""The Python counterpart of echo_server.cc: grpcio, synchronous. Prints "listening on ADDRESS"."""

from __future__ import annotations

import sys
from concurrent import futures
from typing import Any

import grpc
import numpy as np
from gwm._generated import session_pb2, simulator_pb2_grpc, step_pb2, tensor_pb2

_THREADS = 2
_NO = b"\0"


class Echo(simulator_pb2_grpc.SimulatorServicer):
    """The reward is the sum of the action, as in the fake world."""

    def __init__(self) -> None:
        self._steps = 0

    def CreateSession(self, request: Any, context: Any) -> Any:
        return session_pb2.Session(session_id="echo")

    def Reset(self, request: Any, context: Any) -> Any:
        return step_pb2.ResetReply()

    def Step(self, request: Any, context: Any) -> Any:
        self._steps += 1
        reward = np.frombuffer(request.actions.data, np.float32).sum(dtype=np.float32)
        flags = {
            name: tensor_pb2.Tensor(dtype=tensor_pb2.DTYPE_BOOL, shape=[1], data=_NO)
            for name in ("terminated", "truncated", "success")
        }
        return step_pb2.StepReply(
            reward=tensor_pb2.Tensor(dtype=tensor_pb2.DTYPE_F32, shape=[1], data=reward.tobytes()),
            step_index=[self._steps],
            **flags,
        )


def serve(servicer: Any) -> None:
    """Serves until standard input ends."""
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS))
    simulator_pb2_grpc.add_SimulatorServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    server.stop(None).wait()


if __name__ == "__main__":
    serve(Echo())
