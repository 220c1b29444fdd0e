"""Clients that die, and connections that nobody closed: what they held comes back."""

from __future__ import annotations

from collections.abc import Callable

import gwm
import pytest
from fake_server import FakeServer, bench, pause
from fault_proxy import fault_proxy

TTL_S = 1.0
# The reaper looks four times per shortest lease; the rest is the machine's.
GRACE_S = 5.0
CONNECTIONS = 100


def kill_clients(server: FakeServer, processes: int, ttl_s: float) -> float:
    """Kills programs of CONNECTIONS clients in the middle of their steps; seconds until all is free."""
    loads = [
        bench(
            server.address,
            "--mode=steps",
            f"--connections={CONNECTIONS}",
            f"--idle_ttl_ms={int(ttl_s * 1000)}",
            "--duration=600",
        )
        for _ in range(processes)
    ]
    try:
        server.await_sessions(processes * CONNECTIONS, 120)
        steps = server.metric("gwm_env_steps_total")
        while server.metric("gwm_env_steps_total") < steps + 10 * processes * CONNECTIONS:
            pause(0.05)
    finally:
        for load in loads:
            load.kill()
            load.wait()
    # New sessions succeed at once.
    with gwm.Client(server.address) as client, client.create_session(2) as session:
        session.reset()
    return server.await_sessions(0, ttl_s + GRACE_S)


# The more clients share two cores, the longer each one waits between two steps.
@pytest.mark.parametrize(("processes", "ttl_s"), [(2, TTL_S), pytest.param(10, 10.0, marks=pytest.mark.slow)])
def test_what_killed_clients_held_is_free_after_their_lease(
    start: Callable[..., FakeServer], processes: int, ttl_s: float
) -> None:
    server = start(limits="max_sessions: 2000 min_idle_ttl { seconds: 1 }")
    took_s = kill_clients(server, processes, ttl_s)
    print(f"{processes * CONNECTIONS} clients killed, all free {took_s:.1f} s later")
    assert server.metric("gwm_state_pool_used_bytes") == 0


def test_a_half_open_connection_holds_nothing_longer_than_the_lease(
    start: Callable[..., FakeServer],
) -> None:
    server = start(limits="min_idle_ttl { seconds: 1 }")
    with fault_proxy(server.address) as proxy:
        client = gwm.Client(proxy.address, timeout_s=5)
        session = client.create_session(4, idle_ttl_s=TTL_S)
        session.reset()
        assert server.sessions() == 1
        proxy.silence()  # no FIN, no RST: the server cannot know
        server.await_sessions(0, TTL_S + GRACE_S)
        assert server.metric("gwm_state_pool_used_bytes") == 0
