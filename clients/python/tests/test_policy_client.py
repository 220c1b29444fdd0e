"""The policy client against a small policy of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import gwm
import numpy as np
import pytest
from gwm._generated import perception_pb2, policy_pb2, policy_pb2_grpc, spec_pb2, step_pb2, tensor_pb2
from gwm.wire import from_tensor, to_tensor


class EchoPolicy(policy_pb2_grpc.PolicyServicer):  # type: ignore[misc]
    """Every action of a chunk is the newest "state" of its row plus the seed; H = 2."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.lost = 0
        self.flat = False

    def GetPolicy(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.policy_id == "unknown":
            context.abort(grpc.StatusCode.NOT_FOUND, "there is no policy 'unknown'")
        policy = policy_pb2.PolicySpec(
            policy_id="push",
            policy_digest="d1",
            kind="diffusion",
            observations=[spec_pb2.FieldSpec(name="features", dtype=tensor_pb2.DTYPE_F32, shape=[8, 64])],
            features=policy_pb2.FeatureSource(
                checkpoint_digest="m1", pooling=perception_pb2.FEATURE_POOLING_ATTENTION
            ),
            history=2,
            horizon=16,
            execute_steps=8,
            action_low=to_tensor(np.float32([-1, -2])),
            action_high=to_tensor(np.float32([1, 2])),
        )
        return policy_pb2.GetPolicyReply(policy=policy, max_rows=64)

    def Act(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.requests.append(request)
        if self.lost > 0:
            self.lost -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset")
        newest = from_tensor(request.observations["state"])[:, -1] + request.seed
        chunks = np.repeat(newest[:, None], 2, 1).astype(np.float32)
        reply = policy_pb2.ActReply(
            actions=to_tensor(chunks[0, 0] if self.flat else chunks),
            row_status=[step_pb2.RowStatus(), step_pb2.RowStatus(code=15, reason="NON_FINITE")],
            policy_digest="d1",
        )
        reply.timing.dynamics.FromMilliseconds(2)
        return reply


@pytest.fixture
def policy() -> EchoPolicy:
    return EchoPolicy()


@pytest.fixture
def address(policy: EchoPolicy) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    policy_pb2_grpc.add_PolicyServicer_to_server(policy, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


STATES = np.float32([[[1], [2]], [[3], [4]]])  # n = 2, T = 2


def test_the_spec_says_what_to_send_and_what_comes(address: str) -> None:
    with gwm.Policy(address) as client:
        spec = client.spec()
    assert (spec.policy_id, spec.policy_digest, spec.kind) == ("push", "d1", "diffusion")
    assert spec.observations["features"].shape == (8, 64)
    assert spec.features is not None
    assert (spec.features.checkpoint_digest, spec.features.pooling) == ("m1", "attention")
    assert (spec.history, spec.horizon, spec.execute_steps, spec.max_rows) == (2, 16, 8, 64)
    np.testing.assert_array_equal(spec.action_high, [1, 2])
    assert spec.noise is None


def test_each_row_gets_its_chunk(policy: EchoPolicy, address: str) -> None:
    with gwm.Policy(address) as client:
        result = client.act({"state": STATES})
    np.testing.assert_array_equal(result.actions, [[[2], [2]], [[4], [4]]])
    assert result.failed.tolist() == [False, True]
    assert result.policy_digest == "d1"
    assert result.timing.dynamics_s == pytest.approx(0.002)
    assert not policy.requests[0].HasField("seed")
    assert not policy.requests[0].HasField("noise")


def test_everything_that_was_given_is_sent(policy: EchoPolicy, address: str) -> None:
    with gwm.Policy(address, policy_digest="d1", priority="high") as client:
        result = client.act(
            {"state": STATES},
            history_steps=[1, 2],
            feature_model_digest="m1",
            seed=10,
            rows=[gwm.ActRow(3, 1, 8), gwm.ActRow(4)],
            noise=np.zeros((2, 2, 1)),
            selection="best",
        )
    assert result.actions[:, 0, 0].tolist() == [12, 14]
    sent = policy.requests[0]
    assert (sent.policy_digest, sent.feature_model_digest) == ("d1", "m1")
    assert list(sent.history_steps) == [1, 2]
    assert [(row.env_id, row.episode, row.step_index) for row in sent.rows] == [(3, 1, 8), (4, 0, 0)]
    assert sent.noise.dtype == tensor_pb2.DTYPE_F32
    assert sent.selection == policy_pb2.ACTION_SELECTION_BEST
    assert sent.context.priority != 0


def test_a_lost_reply_is_asked_for_again(policy: EchoPolicy, address: str) -> None:
    policy.lost = 2
    waits: list[float] = []
    with gwm.Policy(address, retry=gwm.RetryPolicy(sleep=waits.append)) as client:
        assert client.act({"state": STATES}).actions.shape == (2, 2, 1)
    assert len(waits) == 2


def test_mistakes_are_named(policy: EchoPolicy, address: str) -> None:
    with gwm.Policy(address, policy_id="unknown") as client:
        with pytest.raises(gwm.NotFoundError, match="no policy 'unknown'"):
            client.spec()
        with pytest.raises(ValueError, match=r"selection is 'luck'; allowed are None, 'sample', 'best'"):
            client.act({"state": STATES}, selection="luck")
        policy.flat = True
        with pytest.raises(ValueError, match=r"actions of shape \[1\], not \[n, H, A\]"):
            client.act({"state": STATES})
