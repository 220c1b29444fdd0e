"""Health that is true: a server that cannot serve says so, and one that never will again exits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import grpc
import gwm
import numpy as np
import pytest
from fake_server import FakeServer, pause
from grpc_health.v1 import health_pb2, health_pb2_grpc

DEVICE_LOST = 3  # exit status
TIMES = """
health_probe_period { nanos: 500000000 }
health_timeout { seconds: 2 }
watchdog_timeout { seconds: 4 }
"""
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVING = health_pb2.HealthCheckResponse.SERVING


class Steps(threading.Thread):
    """Steps until a call fails; remembers when the last good answer came."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._client = gwm.Client(address, retry=gwm.RetryPolicy(attempts=1))
        self._session = self._client.create_session(seed=1)
        self._session.reset()
        self.answered_at = time.monotonic()
        self.error: gwm.GwmError | None = None

    def run(self) -> None:
        try:
            while True:
                self._session.step(np.zeros((1, 2), np.float32))
                self.answered_at = time.monotonic()
        except gwm.GwmError as error:
            self.error = error
        self._client.close()


def await_status(address: str, service: str, wanted: int, timeout_s: float) -> float:
    """When health said so, by the monotonic clock."""
    deadline_s = time.monotonic() + timeout_s
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        while time.monotonic() < deadline_s:
            try:
                reply = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            except grpc.RpcError:
                if wanted == NOT_SERVING:  # gone altogether
                    return time.monotonic()
                raise
            if reply.status == wanted:
                return time.monotonic()
            pause(0.02)
    raise TimeoutError(f"health of {service!r} is not {wanted} after {timeout_s} s")


# Warm-up calls count as Steps too: the device fails a while after the first client came.
@pytest.mark.parametrize(("flag", "not_serving_s"), [("--hang-after=3000", 10.0), ("--lose-after=3000", 2.0)])
def test_a_device_that_is_gone_is_not_serving_and_the_process_exits(
    start: Callable[..., FakeServer], flag: str, not_serving_s: float
) -> None:
    server = start(flag, settings=TIMES)
    server.exit_status = DEVICE_LOST
    steps = Steps(server.address)
    steps.start()
    turned_at = await_status(server.address, "", NOT_SERVING, 60)
    assert server.process.wait(30) == DEVICE_LOST
    exited_at = time.monotonic()
    steps.join(30)
    assert not steps.is_alive()
    assert steps.error is not None
    assert steps.error.code is grpc.StatusCode.UNAVAILABLE
    print(
        f"{flag}: NOT_SERVING {turned_at - steps.answered_at:.2f} s after the last answer, "
        f"exit after {exited_at - steps.answered_at:.2f} s"
    )
    assert turned_at - steps.answered_at < not_serving_s


def test_a_full_server_is_not_ready_but_alive(start: Callable[..., FakeServer]) -> None:
    server = start(limits="max_sessions: 1", settings=TIMES)
    await_status(server.address, "", SERVING, 10)
    with gwm.Client(server.address) as client:
        session = client.create_session()
        full_at = time.monotonic()
        took_s = await_status(server.address, "", NOT_SERVING, 10) - full_at
        print(f"NOT_SERVING {took_s:.2f} s after the last place was taken")
        await_status(server.address, "liveness", SERVING, 1)
        session.close()
    await_status(server.address, "", SERVING, 10)


def test_a_quiet_server_stays_in_service(start: Callable[..., FakeServer]) -> None:
    server = start(settings=TIMES)
    for _ in range(6):
        pause(0.5)
        await_status(server.address, "", SERVING, 1)
    assert server.metric("gwm_health_probe_seconds_count") >= 3
    assert server.metric("gwm_health_probe_failures_total") == 0
