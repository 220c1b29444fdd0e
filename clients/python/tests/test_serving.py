"""The server of real environments: what it answers, what it refuses, and that refusals change nothing."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import gwm
import numpy as np
import pytest
from fakes import PointBackend, point_server
from gwm._generated import simulator_pb2, tensor_pb2
from gwm.wire import to_tensor


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def client() -> Iterator[gwm.Client]:
    with point_server() as server, gwm.Client(server.address) as connected:
        yield connected


def test_the_spec_lists_what_is_there(client: gwm.Client) -> None:
    spec = client.spec()
    assert spec.model_id == "fake:point"
    assert spec.action.shape == (2,)
    assert spec.action.min == -1
    assert {name: field.shape for name, field in spec.observations.items()} == {
        "rgb": (1, 64, 64, 3),
        "depth": (1, 64, 64),
        "state": (2,),
    }
    assert "Simulator.Step" in spec.rpcs
    assert "Simulator.Imagine" not in spec.rpcs
    assert spec.cameras[0].width == 64
    assert spec.control_dt_s == pytest.approx(0.05)


def test_steps_follow_the_environment(client: gwm.Client) -> None:
    with client.create_session(2, seed=5, observations=["state"]) as session:
        start = session.reset()
        assert start.intrinsics is not None
        assert start.intrinsics.shape == (2, 1, 3, 3)
        assert not np.array_equal(start.observations["state"][0], start.observations["state"][1])
        result = session.step([[0.5, 0], [0, -0.5]], observations=["state", "rgb"])
        moved = result.observations["state"] - start.observations["state"]
        np.testing.assert_allclose(moved, [[0.05, 0], [0, -0.05]], atol=1e-6)
        np.testing.assert_allclose(result.reward, result.observations["state"][:, 0], rtol=1e-6)
        assert result.observations["rgb"].shape == (2, 1, 64, 64, 3)
        assert result.step_index.tolist() == [1, 1]


def test_env_ids_choose_and_order_the_rows(client: gwm.Client) -> None:
    with client.create_session(3, seed=5, observations=["state"]) as session:
        start = session.reset().observations["state"]
        result = session.step([[1, 0], [0, 1]], env_ids=[2, 0])
        np.testing.assert_allclose(result.observations["state"][0], start[2] + [0.1, 0], atol=1e-6)
        np.testing.assert_allclose(result.observations["state"][1], start[0] + [0, 0.1], atol=1e-6)
        steps = [env.step_index for env in session.status().envs]
        assert steps == [1, 0, 1]


def test_the_same_seed_gives_the_same_episodes_again(client: gwm.Client) -> None:
    def play(session: gwm.Session, seed: int | None) -> np.ndarray:
        return np.stack(
            [session.reset(seed=seed).observations["state"], session.reset().observations["state"]]
        )

    with client.create_session(2, observations=["state"]) as session:
        first = play(session, 11)
        assert not np.array_equal(first[0], first[1])
        np.testing.assert_array_equal(first, play(session, 11))
        expected = PointBackend().reset(11, ["state"])["state"]
        np.testing.assert_array_equal(first[0, 0], expected)


def test_it_is_forgotten_in_the_end_why_a_session_is_gone() -> None:
    clock = FakeClock()
    with point_server(clock_s=clock) as server, gwm.Client(server.address) as connected:
        closed, expired = connected.create_session(), connected.create_session(idle_ttl_s=10)
        closed.close()
        clock.now_s += 11
        for session, reason in ((closed, "CLOSED"), (expired, "EXPIRED")):
            with pytest.raises(gwm.GwmError) as caught:
                session.status()
            assert caught.value.reason == reason
        clock.now_s += 3600
        for session in (closed, expired):
            with pytest.raises(gwm.NotFoundError) as caught:
                session.status()
            assert caught.value.reason == "UNKNOWN"


def test_states_of_their_own_are_not_there(client: gwm.Client) -> None:
    state = gwm.StateRef(blob=b"x")
    with client.create_session() as session:
        session.reset()
        for call in (
            session.fork,
            session.export_state,
            lambda: session.reset(state=state),
            lambda: session.render(state=state),
        ):
            with pytest.raises(gwm.UnimplementedError) as caught:
                call()
            assert caught.value.reason == "UNSUPPORTED"
        assert session.step([0, 0]).step_index.tolist() == [1]


def test_termination_needs_a_reset(client: gwm.Client) -> None:
    with client.create_session(observations=["state"]) as session:
        session.reset()
        for _ in range(10):
            result = session.step([1, 0])
            if result.terminated[0]:
                break
        assert result.success.tolist() == [True]
        with pytest.raises(gwm.PreconditionError, match="has ended its episode") as caught:
            session.step([0, 0])
        assert caught.value.reason == "NEEDS_RESET"
        assert session.reset().episode.tolist() == [1]
        assert session.step([0, 0]).step_index.tolist() == [1]


def test_max_episode_steps_truncates(client: gwm.Client) -> None:
    with client.create_session(max_episode_steps=2) as session:
        session.reset()
        assert session.step([0, 0]).truncated.tolist() == [False]
        assert session.step([0, 0]).truncated.tolist() == [True]


def test_an_environment_that_ends_by_itself_says_so() -> None:
    with point_server(horizon=1) as server, gwm.Client(server.address) as client:
        session = client.create_session()
        session.reset()
        end = session.step([0, 0])
        assert end.truncated.tolist() == [True]
        assert end.truncation_reason.tolist() == [gwm.TruncationReason.ENVIRONMENT]


def test_render_shows_the_present_state_and_other_cameras(client: gwm.Client) -> None:
    camera = client.spec().cameras[0].moved((0.05, 0, 0))
    with client.create_session(2, observations=["rgb"]) as session:
        start = session.reset()
        images = session.render(outputs=["rgb", "depth"])
        np.testing.assert_array_equal(images.rgb, start.observations["rgb"])
        assert images.depth is not None
        assert images.depth.dtype == np.float32
        assert images.alpha is None
        two = session.render([1], cameras=[camera, camera], rgb_dtype="f32")
        assert two.rgb is not None
        assert two.rgb.shape == (1, 2, 64, 64, 3)
        assert two.rgb.dtype == np.float32
        assert two.rgb.max() == 1.0


BAD_CALLS = [
    (
        "step",
        {"actions": [[0, 0]], "env_ids": [3]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_FIELD",
        "env_ids[0]",
    ),
    (
        "step",
        {"actions": np.zeros((2, 2)), "env_ids": [1, 1]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_FIELD",
        "env_ids[1]",
    ),
    ("step", {"actions": np.zeros((3, 2))}, grpc.StatusCode.INVALID_ARGUMENT, "BAD_TENSOR", "actions.shape"),
    ("step", {"actions": [[0, np.nan], [0, 0]]}, grpc.StatusCode.INVALID_ARGUMENT, "BAD_TENSOR", "actions"),
    ("step", {"actions": [[0, 0], [0, 1.5]]}, grpc.StatusCode.INVALID_ARGUMENT, "BAD_TENSOR", "actions"),
    (
        "step",
        {"actions": np.zeros((2, 2)), "observations": ["smell"]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_FIELD",
        "observations[0]",
    ),
    (
        "step",
        {"actions": np.zeros((2, 2)), "sampler_calls": 3},
        grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_FIELD",
        "sampler_calls",
    ),
    ("reset", {"pool_indices": [0, 0]}, grpc.StatusCode.INVALID_ARGUMENT, "BAD_FIELD", "pool_indices"),
    (
        "reset",
        {"episode": gwm.EpisodeFrame("a.safetensors")},
        grpc.StatusCode.UNIMPLEMENTED,
        "UNSUPPORTED",
        "episode",
    ),
    ("render", {"outputs": ["gaussians"]}, grpc.StatusCode.UNIMPLEMENTED, "UNSUPPORTED", "outputs[0]"),
]


@pytest.mark.parametrize(("method", "arguments", "code", "reason", "field"), BAD_CALLS)
def test_a_bad_call_is_refused_and_changes_nothing(
    client: gwm.Client, method: str, arguments: dict, code: grpc.StatusCode, reason: str, field: str
) -> None:
    with client.create_session(2, observations=["state"]) as session:
        session.reset()
        before = session.status()
        with pytest.raises(gwm.GwmError) as caught:
            getattr(session, method)(**arguments)
        assert (caught.value.code, caught.value.reason, caught.value.field) == (code, reason, field)
        assert list(session.status().envs) == list(before.envs)


def test_a_tensor_whose_bytes_do_not_fit_is_refused(client: gwm.Client) -> None:
    with client.create_session() as session:
        session.reset()
        tensor = tensor_pb2.Tensor(dtype=tensor_pb2.DTYPE_F32, shape=[1, 2], data=b"1234")
        request = simulator_pb2.StepRequest(session_id=session.session_id, actions=tensor)
        with pytest.raises(gwm.InvalidRequestError, match="4 bytes"):
            client.connection.call("simulator", "Step", request, idempotent=False)
        request.actions.CopyFrom(to_tensor(np.zeros((1, 2), np.uint8)))
        with pytest.raises(gwm.InvalidRequestError, match="dtype is U8; expected F32"):
            client.connection.call("simulator", "Step", request, idempotent=False)


@pytest.mark.parametrize(
    ("arguments", "reason", "field"),
    [
        ({"num_envs": 9}, "LIMIT", "num_envs"),
        ({"idle_ttl_s": 0.1}, "LIMIT", "idle_ttl"),
        ({"max_lifetime_s": 1e6}, "LIMIT", "max_lifetime"),
        ({"sampler_calls": 2}, "BAD_FIELD", "sampler.calls"),
        ({"observations": ["latent"]}, "BAD_FIELD", "observations[0]"),
        ({"model_id": "other"}, "UNKNOWN", "model_id"),
    ],
)
def test_a_bad_session_is_refused(client: gwm.Client, arguments: dict, reason: str, field: str) -> None:
    with pytest.raises(gwm.GwmError) as caught:
        client.create_session(**arguments)
    assert (caught.value.reason, caught.value.field) == (reason, field)
    assert client.server_info().sessions == 0


def test_a_closed_session_says_so(client: gwm.Client) -> None:
    session = client.create_session()
    session.close()
    session.close()
    with pytest.raises(gwm.PreconditionError) as caught:
        session.reset()
    assert caught.value.reason == "CLOSED"


@pytest.mark.parametrize(
    ("session_id", "reason"),
    [("nonsense", "UNKNOWN"), ("", "UNKNOWN"), ("0123456789abcdef-" + "0" * 32, "SERVER_RESTARTED")],
)
def test_an_unknown_session_says_why(client: gwm.Client, session_id: str, reason: str) -> None:
    with pytest.raises(gwm.NotFoundError) as caught:
        client.attach_session(session_id)
    assert caught.value.reason == reason


def test_a_session_expires_when_nobody_calls() -> None:
    clock = FakeClock()
    with point_server(clock_s=clock) as server, gwm.Client(server.address) as client:
        session = client.create_session(8, idle_ttl_s=10)
        clock.now_s = 9
        session.status()
        clock.now_s = 18
        session.status()
        clock.now_s = 29
        with pytest.raises(gwm.NotFoundError) as caught:
            session.status()
        assert caught.value.reason == "EXPIRED"
        assert client.server_info().envs == 0
        client.create_session(8).close()


def test_a_full_server_says_so_and_recovers(client: gwm.Client) -> None:
    patient = gwm.Client(client.address, retry=gwm.RetryPolicy(attempts=1))
    with patient, patient.create_session(8) as full:
        with pytest.raises(gwm.ResourceExhaustedError) as caught:
            patient.create_session(1)
        assert caught.value.reason == "QUOTA"
        assert caught.value.retry_after_s is not None
        full.close()
        patient.create_session(8).close()


def test_a_broken_environment_is_replaced_at_its_reset() -> None:
    with point_server(break_at=2) as server, gwm.Client(server.address) as client:
        session = client.create_session(2, observations=["state"])
        session.reset()
        session.step(np.zeros((2, 2)), env_ids=[0, 1])
        with pytest.raises(gwm.GwmError, match="the dot fell off") as caught:
            session.step([0, 0], env_ids=[1])
        assert caught.value.code is grpc.StatusCode.INTERNAL
        with pytest.raises(gwm.PreconditionError, match="environment 1 failed"):
            session.step([0, 0], env_ids=[1])
        session.reset([1])
        assert session.step([0, 0], env_ids=[1]).step_index.tolist() == [1]


def test_a_reward_that_is_not_finite_fails_its_row() -> None:
    with point_server(poison_at=1) as server, gwm.Client(server.address) as client:
        session = client.create_session(2, observations=["state"])
        session.reset()
        result = session.step(np.zeros((2, 2)))
        assert result.failed.tolist() == [True, True]
        assert result.reward.tolist() == [0, 0]
        assert not result.observations["state"].any()
        session.reset([0])
        with pytest.raises(gwm.GwmError) as caught:
            session.step([0, 0], env_ids=[0])
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.DATA_LOSS, "NON_FINITE")


def test_what_only_models_have_is_unimplemented(client: gwm.Client) -> None:
    with client.create_session() as session:
        session.reset()
        with pytest.raises(gwm.UnimplementedError):
            list(session.imagine(np.zeros((1, 3, 2))))
    frames = gwm.RgbdFrames(
        np.zeros((1, 1, 1, 2, 2, 3)), np.zeros((1, 1, 1, 2, 2)), np.eye(3)[None], np.eye(4)[None]
    )
    with pytest.raises(gwm.UnimplementedError):
        client.encode(frames)


def test_health_and_reflection_are_there(client: gwm.Client) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    channel = client.connection.channel()
    stub = health_pb2_grpc.HealthStub(channel)
    reply = stub.Check(health_pb2.HealthCheckRequest(service="gwm.v1.Simulator"), timeout=10)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING
    assert "gwm.v1.Simulator" in ProtoReflectionDescriptorDatabase(channel).get_services()
