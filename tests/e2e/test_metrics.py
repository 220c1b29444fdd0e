"""/metrics: clean by Prometheus' rules, and equal to what clients counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import gwm
import numpy as np
import pytest
from metric_rules import complaints, families_of
from processes import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
# Families whose first sample comes with the first failure, or the first slow reader.
NOT_YET_SEEN = {
    # Of servers that train: test_training.py.
    "gwm_checkpoint_bytes",
    "gwm_checkpoint_duration_seconds",
    "gwm_train_episodes_total",
    "gwm_train_loss",
    "gwm_train_samples_total",
    "gwm_train_steps_total",
    "gwm_cancelled_total",
    "gwm_model_load_failures_total",
    "gwm_rejected_total",
    "gwm_stream_backpressure_seconds_total",
}
BAD_PAGES = {
    "# HELP gwm_steps Steps.\n# TYPE gwm_steps counter\ngwm_steps 1\n": "_total",
    "# HELP gwm_a_total A.\n# TYPE gwm_a_total gauge\ngwm_a_total 1\n": "_total",
    "# TYPE gwm_a gauge\ngwm_a 1\n": "no help",
    "# HELP gwm_wait_ms W.\n# TYPE gwm_wait_ms gauge\ngwm_wait_ms 1\n": "base unit",
    "# HELP gwm_a A.\n# TYPE gwm_a gauge\ngwm_a 1\ngwm_a 2\n": "twice",
    '# HELP gwm_a A.\n# TYPE gwm_a gauge\ngwm_a{session_id="x"} 1\n': "grow",
    "# HELP gwm_gauge A.\n# TYPE gwm_gauge gauge\ngwm_gauge 1\n": "type",
    '# HELP gwm_h H.\n# TYPE gwm_h histogram\ngwm_h_bucket{le="1"} 2\ngwm_h_bucket{le="+Inf"} 1\n'
    "gwm_h_count 1\ngwm_h_sum 1\n": "cumulative",
}


@pytest.mark.parametrize(("page", "complaint"), BAD_PAGES.items())
def test_the_rules_catch_what_promtool_catches(page: str, complaint: str) -> None:
    assert any(complaint in one for one in complaints(page)), complaints(page)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "server.log")
    yield process
    process.kill()


def test_counters_equal_what_clients_counted_and_the_page_is_clean(server: ServerProcess) -> None:
    rng = np.random.default_rng(0)
    once = gwm.RetryPolicy(attempts=1)
    with gwm.Client(server.address, retry=once) as client:
        rpcs = {"CreateSession": 2, "Reset": 2, "Step": 0, "Imagine": 2, "Plan": 1, "Fork": 1, "Render": 1}
        sessions = [client.create_session(num_envs=n, seed=n) for n in (1, 3)]
        for session in sessions:
            session.reset()
        env_steps = 0
        for _ in range(5):
            for session in sessions:
                session.step(rng.uniform(-1, 1, (session.num_envs, 4)).astype(np.float32))
                rpcs["Step"] += 1
                env_steps += session.num_envs
        with pytest.raises(gwm.GwmError):
            sessions[0].step(np.full((1, 4), np.nan, np.float32))
        rpcs["Step"] += 1
        imagined = 0
        for branches in (1, 2):
            actions = rng.uniform(-1, 1, (branches, 3, 4)).astype(np.float32)
            for chunk in sessions[0].imagine(actions):
                imagined += chunk.reward.size
        sessions[0].plan(rng.uniform(-1, 1, (4, 2, 4)).astype(np.float32))
        imagined += 8
        sessions[0].render()
        fork = sessions[1].fork()
        fork.close()
        counted = {rpc: server.metric("gwm_rpc_started_total", rpc=f"Simulator.{rpc}") for rpc in rpcs}
        assert counted == rpcs
        for rpc, calls in rpcs.items():
            assert server.metric("gwm_rpc_handled_total", rpc=f"Simulator.{rpc}") == calls
            assert server.metric("gwm_rpc_in_flight", rpc=f"Simulator.{rpc}") == 0
        assert server.metric("gwm_rpc_handled_total", code="INVALID_ARGUMENT") == 1
        assert server.metric("gwm_env_steps_total") == env_steps
        assert server.metric("gwm_imagined_steps_total") == imagined
        assert server.metric("gwm_frames_rendered_total") == 1
        assert server.metric("gwm_forks_total") == 3
        assert server.metric("gwm_sessions_created_total") == 3
        assert server.metric("gwm_sessions_closed_total", reason="client") == 1
        assert server.metric("gwm_sessions") == 2
        assert server.metric("gwm_envs") == 4
        page = server.metrics_page()
    assert complaints(page) == []
    # The document lists all of them, and nothing else.
    families = {f.name + "_total" if f.type == "counter" else f.name for f in families_of(page)}
    documented = set(re.findall(r"`(gwm_\w+)`", (ROOT / "docs/metrics.md").read_text()))
    assert families <= documented, f"not in docs/metrics.md: {sorted(families - documented)}"
    assert documented - families <= NOT_YET_SEEN
