"""Where a call's time went: every reply tells, it adds up, and the metrics and the client's clock agree."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gwm
import numpy as np
import pytest
from gwm.types import Timing
from processes import ServerProcess

STEPS = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("latency") / "server.log")
    yield process
    process.kill()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[gwm.Client]:
    with gwm.Client(server.address) as client:
        yield client


def stages_s(timing: Timing) -> float:
    return (
        timing.queue_s
        + timing.encode_s
        + timing.dynamics_s
        + timing.reward_s
        + timing.render_s
        + timing.pack_s
    )


def test_the_stages_of_a_step_add_up_and_fit_into_what_the_client_sees(client: gwm.Client) -> None:
    action = np.zeros((2, 4), np.float32)
    with client.create_session(2, seed=1, observations=["rgb"]) as session:
        start = session.reset()
        assert start.timing.encode_s > 0.5 * start.timing.total_s
        for _ in range(STEPS):
            begun_s = time.perf_counter()
            timing = session.step(action).timing
            seen_s = time.perf_counter() - begun_s
            assert stages_s(timing) == pytest.approx(timing.total_s, rel=0.05)
            assert timing.total_s < seen_s
            assert min(timing.dynamics_s, timing.reward_s, timing.render_s, timing.pack_s) > 0
            assert timing.encode_s == 0


def test_the_metrics_add_up_to_the_duration_of_the_calls(client: gwm.Client, server: ServerProcess) -> None:
    with client.create_session(seed=1) as session:
        session.reset()
        for _ in range(STEPS):
            session.step(np.zeros((1, 4), np.float32))
    told_s = server.metric("gwm_rpc_stage_seconds_total", rpc="Simulator.Step")
    took_s = server.metric("gwm_rpc_duration_seconds_sum", rpc="Simulator.Step")
    assert told_s == pytest.approx(took_s, rel=0.05)
    assert server.metric("gwm_stage_duration_seconds_count", stage="step") >= STEPS
    assert server.metric("gwm_cost_model_error_ratio_count", stage="step") >= STEPS - 1


def test_rollouts_tell_of_theirs(client: gwm.Client) -> None:
    with client.create_session(seed=1) as session:
        session.reset()
        for chunk in session.imagine(np.zeros((3, 4), np.float32), outputs=["rgb"]):
            assert chunk.timing is not None
            assert stages_s(chunk.timing) == pytest.approx(chunk.timing.total_s, rel=0.05)
            assert chunk.timing.dynamics_s > 0
        planned = session.plan(np.zeros((2, 3, 4), np.float32))
        assert planned.timing is not None
        assert planned.timing.dynamics_s > 0.5 * planned.timing.total_s


def test_heuns_rule_makes_two_calls_for_each_level_but_the_last(client: gwm.Client) -> None:
    with client.create_session(seed=1, sampler_calls=2, sampler="heun") as session:
        session.reset()
        action = np.zeros((1, 4), np.float32)
        assert session.step(action).timing.sampler_calls == 3
        assert session.step(action, sampler="euler").timing.sampler_calls == 2
        with pytest.raises(ValueError, match="allowed are None, 'euler', 'heun'"):
            session.step(action, sampler="rk4")


def test_a_client_of_low_priority_is_served_too(server: ServerProcess) -> None:
    with gwm.Client(server.address, priority="low") as client, client.create_session(seed=1) as session:
        session.reset()
        before = server.metric("gwm_queue_wait_seconds_count", **{"class": "imagine"})
        # A quantum is counted when it ends, which is after its answers.
        for _ in range(2):
            session.step(np.zeros((1, 4), np.float32))
        assert server.metric("gwm_queue_wait_seconds_count", **{"class": "imagine"}) > before
