"""The real server on the fake world. GWM_BUILD names another build folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "clients/python/src"), str(ROOT / "clients/python/tests")]

from fake_server import SERVER, FakeServer  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes minutes, or thousands of connections; not in make test")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., FakeServer]]:
    """Starts servers; each must still be there, and stop cleanly, at the end of the test."""
    if not SERVER.exists():
        pytest.skip(f"{SERVER} is not built")
    servers: list[FakeServer] = []

    def make(*flags: str, **config: str) -> FakeServer:
        servers.append(FakeServer(tmp_path / f"server{len(servers)}", *flags, **config))
        return servers[-1]

    yield make
    for server in servers:
        assert server.stop() == server.exit_status
