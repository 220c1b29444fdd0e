"""Many connections that do nothing, and keepalive."""

from __future__ import annotations

import resource
import socket
import struct
from collections.abc import Callable

import gwm
import pytest
from fake_server import FakeServer, bench, pause

# The HTTP/2 preface and an empty SETTINGS frame: from then on the server keeps a transport.
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack(">I", 0)[1:] + b"\x04\x00\x00\x00\x00\x00"
_BYTES_PER_CONNECTION = 96 << 10
_STREAMS = 200


def file_limit() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def open_idle(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(_HELLO)
    assert connection.recv(9)[3] == 4  # the server's own SETTINGS
    return connection


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_idle_connections_cost_little_and_disturb_nobody(
    start: Callable[..., FakeServer], count: int
) -> None:
    limit = file_limit()
    if limit < count + 200:
        pytest.skip(f"{count} connections need more than the {limit} open files that are allowed")
    server = start()
    with gwm.Client(server.address) as client, client.create_session(1) as session:
        session.reset()
        rss = server.rss_bytes()
        idle = [open_idle(server.address) for _ in range(count)]
        grown = server.rss_bytes() - rss
        print(f"{count} idle connections: {grown / count / 1024:.1f} KiB each")
        assert grown < count * _BYTES_PER_CONNECTION
        for _ in range(10):
            session.step([0.0, 0.0])
        for connection in idle:
            connection.close()


def test_many_streams_at_once_are_served(start: Callable[..., FakeServer]) -> None:
    server = start(limits=f"max_run_streams: {_STREAMS} max_sessions: {_STREAMS}")
    load = bench(server.address, "--mode=run", "--envs=1", f"--connections={_STREAMS}", "--duration=2")
    assert load.wait(120) == 0
    server.await_sessions(0, 10)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_clients_that_ping_as_often_as_allowed_are_not_thrown_out(start: Callable[..., FakeServer]) -> None:
    """The defaults of both clients ping less often than this."""
    import grpc
    from gwm._generated import server_pb2, server_pb2_grpc

    server = start()
    options = [("grpc.keepalive_time_ms", 10_000), ("grpc.keepalive_permit_without_calls", 1)]
    with grpc.insecure_channel(
        server.address, [*options, ("grpc.http2.max_pings_without_data", 0)]
    ) as channel:
        states: list[grpc.ChannelConnectivity] = []
        stub = server_pb2_grpc.ServerStub(channel)
        stub.GetLimits(server_pb2.GetLimitsRequest())
        channel.subscribe(states.append)
        pause(75)
        stub.GetLimits(server_pb2.GetLimitsRequest())
        assert grpc.ChannelConnectivity.TRANSIENT_FAILURE not in states
        assert grpc.ChannelConnectivity.IDLE not in states[1:]
