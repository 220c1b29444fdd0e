"""One connection to a server: message-size limits from the server, errors as exceptions, safe retries."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from gwm._generated import (
    models_pb2_grpc,
    perception_pb2_grpc,
    policy_pb2_grpc,
    server_pb2,
    server_pb2_grpc,
    simulator_pb2,
    simulator_pb2_grpc,
    trainer_pb2_grpc,
)
from gwm.errors import GwmError, UnimplementedError, from_rpc_error
from gwm.retry import RetryPolicy

DEFAULT_TIMEOUT_S = 120.0
# For the two small calls before the limits are known, and for servers that do not tell them.
_BOOTSTRAP_BYTES = 64 << 20
# A reply is never allowed to be larger than this; a server that asks for more is out of its mind.
_CEILING_BYTES = (1 << 31) - 1
_MESSAGE_OVERHEAD_BYTES = 1 << 20


class Connection:
    """Thread-safe. Connects on the first call."""

    def __init__(self, address: str, timeout_s: float, retry: RetryPolicy, priority: int = 0) -> None:
        if not address:
            raise ValueError("address is empty; expected HOST:PORT or unix:PATH")
        self.address = address
        self.timeout_s = timeout_s
        self.retry = retry
        self.priority = priority  # gwm.v1.Priority of calls that use the device
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._closed = False
        self._stubs: dict[str, Any] = {}
        self.limits: server_pb2.Limits | None = None

    def call(
        self, service: str, method: str, request: Any, *, idempotent: bool, timeout_s: float | None = None
    ) -> Any:
        """A unary call. Raises a GwmError for everything that goes wrong."""
        stub = self._stub(service)
        budget_s = self.timeout_s if timeout_s is None else timeout_s

        def attempt(remaining_s: float) -> Any:
            with _translated(self.address):
                return getattr(stub, method)(request, timeout=remaining_s)

        return self.retry.call(attempt, budget_s, idempotent=idempotent)

    def stream(self, service: str, method: str, request: Any, *, timeout_s: float | None) -> Iterator[Any]:
        """A server stream; leaving the loop early cancels the call."""
        stream = getattr(self._stub(service), method)(request, timeout=timeout_s)
        try:
            with _translated(self.address):
                yield from stream
        finally:
            stream.cancel()

    def send(
        self, service: str, method: str, requests: Sequence[Any], *, timeout_s: float | None = None
    ) -> Any:
        """A client stream that a repetition cannot harm: all of it again when its reply got lost."""
        stub = self._stub(service)
        budget_s = self.timeout_s if timeout_s is None else timeout_s

        def attempt(remaining_s: float) -> Any:
            with _translated(self.address):
                return getattr(stub, method)(iter(requests), timeout=remaining_s)

        return self.retry.call(attempt, budget_s, idempotent=True)

    def both_ways(self, service: str, method: str, requests: Iterator[Any]) -> tuple[Any, Iterator[Any]]:
        """A stream in both directions: the call, for cancelling it, and its answers."""
        call = getattr(self._stub(service), method)(requests)

        def answers() -> Iterator[Any]:
            with _translated(self.address):
                yield from call

        return call, answers()

    def channel(self) -> grpc.Channel:
        """The channel itself, for services outside gwm.v1 such as health checks."""
        self._stub("server")
        assert self._channel is not None
        return self._channel

    def close(self) -> None:
        with self._lock:
            self._closed = True
            channel, self._channel = self._channel, None
            self._stubs.clear()
        if channel is not None:
            channel.close()

    def _stub(self, service: str) -> Any:
        with self._lock:
            if self._closed:
                raise GwmError("the client is closed", code=grpc.StatusCode.CANCELLED)
            if self._channel is None:
                self._open()
            return self._stubs[service]

    def _open(self) -> None:
        receive_bytes = send_bytes = _BOOTSTRAP_BYTES
        with self._bootstrap_channel() as bootstrap:
            limits = self._ask(
                bootstrap, server_pb2_grpc.ServerStub, "GetLimits", server_pb2.GetLimitsRequest()
            )
            spec = self._ask(
                bootstrap, simulator_pb2_grpc.SimulatorStub, "GetSpec", simulator_pb2.GetSpecRequest()
            )
        if limits is not None:
            self.limits = limits
            send_bytes = min(int(limits.max_message_bytes) or _BOOTSTRAP_BYTES, _CEILING_BYTES)
            receive_bytes = max(largest_reply_bytes(limits, spec), _MESSAGE_OVERHEAD_BYTES)
        channel = grpc.insecure_channel(self.address, _channel_options(send_bytes, receive_bytes))
        self._channel = channel
        self._stubs = {
            "simulator": simulator_pb2_grpc.SimulatorStub(channel),
            "perception": perception_pb2_grpc.PerceptionStub(channel),
            "policy": policy_pb2_grpc.PolicyStub(channel),
            "models": models_pb2_grpc.ModelsStub(channel),
            "server": server_pb2_grpc.ServerStub(channel),
            "trainer": trainer_pb2_grpc.TrainerStub(channel),
        }

    def _bootstrap_channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.address, _channel_options(_BOOTSTRAP_BYTES, _BOOTSTRAP_BYTES))

    def _ask(self, channel: grpc.Channel, stub: Any, method: str, request: Any) -> Any:
        """The reply, or None from a server that does not implement the call."""

        def attempt(remaining_s: float) -> Any:
            with _translated(self.address):
                return getattr(stub(channel), method)(request, timeout=remaining_s)

        try:
            return self.retry.call(attempt, self.timeout_s, idempotent=True)
        except UnimplementedError:
            return None


def largest_reply_bytes(limits: server_pb2.Limits, spec: simulator_pb2.SimulatorSpec | None) -> int:
    """What the largest reply within the server's limits can take, bytes."""
    # RGB as F32, depth and alpha, of as many pixels as one render may have.
    render = int(limits.max_pixels_per_render) * (3 + 1 + 1) * 4
    rows = max(limits.max_envs_per_session, limits.max_imagine_branches, limits.max_perception_rows, 1)
    per_row = 0
    for observation in spec.observations if spec is not None else ():
        count = 1
        for length in observation.shape:
            count *= length
        per_row += 4 * count
    # A cloud of up to degree 4: 11 numbers and 25 colour coefficients of 3 channels per Gaussian.
    gaussians = (int(spec.gaussians) if spec is not None else 0) * (11 + 75) * 4
    total = max(render + rows * gaussians, rows * per_row, int(limits.max_message_bytes))
    return min(total + _MESSAGE_OVERHEAD_BYTES, _CEILING_BYTES)


def _channel_options(send_bytes: int, receive_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_send_message_length", send_bytes),
        ("grpc.max_receive_message_length", receive_bytes),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_permit_without_calls", 0),
        # Two clients of one process must not share (and close) one connection's settings.
        ("grpc.use_local_subchannel_pool", 1),
    ]


@contextlib.contextmanager
def _translated(address: str) -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc_error(error, address) from error
