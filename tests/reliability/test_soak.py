"""The soak, short: nothing wrong, and everything given back."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_server import SERVER
from soak import soak

MINUTES = 0.25


def test_mixed_load_with_lost_replies_and_killed_clients_gives_right_values(tmp_path: Path) -> None:
    if not SERVER.exists():
        pytest.skip(f"{SERVER} is not built")
    report = soak(MINUTES, tmp_path)
    assert report.wrong == []
    assert report.lost_replies > 0
    for what in ("step", "stream", "imagine", "render", "fork", "plan", "killed clients"):
        assert report.done[what] > 0, what
