"""Memory stays where it was, and a leak would be noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_server import FakeServer, bench, pause

STEPS = 100_000
WARM_UP_STEPS = 30_000
ALLOWED_BYTES = 16 << 20
# 100k steps in calls of 64 lose about 100 MB then.
LEAK_BYTES = 65_536


def growth_bytes(server: FakeServer) -> int:
    """How much STEPS environment steps add to the process, after a warm-up."""
    load = bench(
        server.address, "--mode=vector", "--connections=4", "--observations=latent", "--duration=600"
    )
    try:
        before = await_steps(server, WARM_UP_STEPS, load.poll)
        rss = server.rss_bytes()
        await_steps(server, before + STEPS, load.poll)
        return server.rss_bytes() - rss
    finally:
        load.kill()
        load.wait()


def await_steps(server: FakeServer, count: float, ended: Callable[[], object]) -> float:
    while (made := server.metric("gwm_env_steps_total")) < count:
        assert ended() is None, "the load ended"
        pause(0.05)
    return made


def test_memory_does_not_grow_with_the_steps(start: Callable[..., FakeServer]) -> None:
    grown = growth_bytes(start())
    print(f"{grown / 1e6:.2f} MB in {STEPS} steps")
    assert grown < ALLOWED_BYTES


def test_a_leak_would_be_noticed(start: Callable[..., FakeServer]) -> None:
    grown = growth_bytes(start(f"--leak-bytes={LEAK_BYTES}"))
    print(f"{grown / 1e6:.2f} MB in {STEPS} steps")
    assert grown > ALLOWED_BYTES


@pytest.mark.slow
def test_memory_does_not_grow_with_sessions(start: Callable[..., FakeServer]) -> None:
    server = start()
    flags = ("--mode=sessions", "--rate=200", "--steps=3", "--duration=10")
    bench(server.address, *flags).wait()
    rss = server.rss_bytes()
    bench(server.address, *flags).wait()
    assert server.rss_bytes() - rss < ALLOWED_BYTES
