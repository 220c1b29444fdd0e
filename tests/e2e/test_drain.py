"""Going out of service under load: SIGTERM and Server.Drain."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import gwm
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from processes import ServerProcess

LAME_DUCK_S = 1
DRAIN_TIMEOUT_S = 6
HANG_S = 30


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    config = tmp_path / "server.textproto"
    config.write_text(
        f"lame_duck {{ seconds: {LAME_DUCK_S} }} drain_timeout {{ seconds: {DRAIN_TIMEOUT_S} }}"
    )
    process = ServerProcess(tmp_path / "server.log", f"--config={config}")
    yield process
    process.kill()


class HealthWatch:
    """When health turned NOT_SERVING, by the watching RPC."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address)
        self._watch = health_pb2_grpc.HealthStub(self._channel).Watch(health_pb2.HealthCheckRequest())
        assert next(self._watch).status == health_pb2.HealthCheckResponse.SERVING
        self.turned_at = 0.0
        self._thread = threading.Thread(target=self._wait)
        self._thread.start()

    def _wait(self) -> None:
        assert next(self._watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        self.turned_at = time.monotonic()

    def join(self) -> float:
        self._thread.join(HANG_S)
        self._channel.close()
        return self.turned_at


class Stepper(threading.Thread):
    """Steps until it is refused; no call may end any other way."""

    def __init__(self, address: str, seed: int) -> None:
        super().__init__()
        self._client = gwm.Client(address, retry=gwm.RetryPolicy(attempts=1))
        self._session = self._client.create_session(seed=seed)
        self._session.reset()
        self.steps = 0
        self.refusal = ""

    def run(self) -> None:
        action = np.zeros((1, 4), np.float32)
        try:
            while True:
                self._session.step(action, observations=["rgb"])
                self.steps += 1
        except gwm.GwmError as error:
            self.refusal = error.reason or error.code.name


def test_sigterm_under_load_answers_every_call_and_exits_cleanly(server: ServerProcess) -> None:
    steppers = [Stepper(server.address, seed) for seed in range(3)]
    for stepper in steppers:
        stepper.start()
    watch = HealthWatch(server.address)
    begun = time.monotonic()
    assert server.terminate() == 0
    exited_s = time.monotonic() - begun
    for stepper in steppers:
        stepper.join(HANG_S)
    turned_s = watch.join() - begun
    print(f"NOT_SERVING after {turned_s * 1e3:.1f} ms, exit after {exited_s:.2f} s")
    assert [stepper.refusal for stepper in steppers] == ["DRAINING"] * 3
    assert all(stepper.steps > 0 for stepper in steppers)
    assert turned_s < LAME_DUCK_S <= exited_s


def test_a_hung_stream_does_not_outlive_the_drain_timeout(server: ServerProcess) -> None:
    with gwm.Client(server.address) as client:
        session = client.create_session(seed=1)
        session.reset(pool_indices=[0])
        channel = grpc.insecure_channel(server.address)
        unread = _imagine_without_reading(channel, session.session_id)
        begun = time.monotonic()
        assert server.terminate() == 0
        print(f"exit after {time.monotonic() - begun:.2f} s, with a stream that nobody read")
        with pytest.raises(grpc.RpcError):
            for _ in unread:
                pass
        channel.close()


def test_the_drain_call_ends_the_process_as_sigterm_does(server: ServerProcess) -> None:
    with gwm.Client(server.address) as client:
        session = client.create_session(num_envs=2, seed=1)
        session.reset()
        reply = client.drain(lame_duck_s=0.5, timeout_s=5)
        assert (reply.sessions, reply.envs) == (1, 2)
        session.step(np.zeros((2, 4), np.float32))
    assert server.process.wait(HANG_S) == 0


def _imagine_without_reading(channel: grpc.Channel, session_id: str) -> grpc.UnaryStreamMultiCallable:
    from gwm._generated import scene_pb2, simulator_pb2, simulator_pb2_grpc
    from gwm.wire import to_tensor

    camera = scene_pb2.Camera(
        intrinsics=[256, 0, 256, 0, 256, 256, 0, 0, 1],
        world_from_cam=np.eye(4).ravel(),
        width=512,
        height=512,
    )
    request = simulator_pb2.ImagineRequest(
        session_id=session_id,
        actions=to_tensor(np.zeros((1, 500, 4), np.float32)),
        outputs=["rgb"],
        camera=camera,
    )
    stream = simulator_pb2_grpc.SimulatorStub(channel).Imagine(request)
    stream.initial_metadata()
    return stream
