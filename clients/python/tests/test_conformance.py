"""What every server of gwm.v1.Simulator must do, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import gwm
import numpy as np
import pytest
from any_server import SERVICE, random_actions
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from gwm._generated import simulator_pb2
from gwm.wire import to_tensor


def test_the_spec_is_complete(client: gwm.Client) -> None:
    spec = client.spec()
    assert spec.contract_version.split(".")[0] == "1"
    assert spec.model_id
    assert {f"Simulator.{name}" for name in ("GetSpec", "CreateSession", "Reset", "Step")} <= spec.rpcs
    assert spec.observations["rgb"].shape == (spec.views, spec.height, spec.width, 3)
    assert len(spec.cameras) == spec.views
    assert len({field.uid for field in spec.raw.observations}) == len(spec.observations)
    assert simulator_pb2.AUTO_RESET_NONE in spec.raw.auto_resets


def test_what_the_spec_does_not_list_is_unimplemented(client: gwm.Client) -> None:
    channel = client.connection.channel()
    optional = {"Imagine", "Fork", "ExportState", "ImportState", "DropState", "Plan", "Observe", "Run"}
    for method in sorted(name for name in optional if f"Simulator.{name}" not in client.spec().rpcs):
        call = channel.unary_unary(f"/{SERVICE}/{method}")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=30)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_step_returns_every_field(client: gwm.Client, session: gwm.Session) -> None:
    result = session.step(random_actions(client, 2))
    spec = client.spec()
    assert result.observations["rgb"].shape == (2, *spec.observations["rgb"].shape)
    assert result.observations["rgb"].dtype == np.uint8
    for name in ("reward", "terminated", "truncated", "success", "success_probability", "failed"):
        assert getattr(result, name).shape == (2,)
    assert np.isfinite(result.reward).all()
    assert ((result.success_probability >= 0) & (result.success_probability <= 1)).all()
    assert result.step_index.tolist() == [1, 1]
    assert result.timing.device_s > 0


def test_the_same_seed_and_actions_give_the_same_bits(client: gwm.Client) -> None:
    def play() -> list[np.ndarray]:
        with client.create_session(2, seed=21, observations=["rgb"]) as made:
            seen = [made.reset().observations["rgb"]]
            for step in range(3):
                result = made.step(random_actions(client, 2, step))
                seen += [result.observations["rgb"], result.reward]
            return seen

    for first, second in zip(play(), play(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_row_does_not_depend_on_its_batch(client: gwm.Client) -> None:
    actions = random_actions(client, 4)
    with client.create_session(4, seed=9, observations=["rgb"]) as together, \
            client.create_session(4, seed=9, observations=["rgb"]) as alone:  # fmt: skip
        together.reset()
        alone.reset()
        batch = together.step(actions)
        for row in (3, 1, 0, 2):
            single = alone.step(actions[row], env_ids=[row])
            np.testing.assert_array_equal(single.observations["rgb"][0], batch.observations["rgb"][row])
            assert single.reward[0] == batch.reward[row]


def test_the_error_to_expect_is_there_where_the_spec_says_so(
    client: gwm.Client, session: gwm.Session
) -> None:
    result = session.step(random_actions(client, 2))
    assert (result.expected_error is not None) == client.spec().tells_expected_error
    assert result.truncation_reason.tolist() == [gwm.TruncationReason.NONE] * 2
    if result.expected_error is None:
        with pytest.raises(gwm.UnimplementedError, match="max_expected_error"):
            client.create_session(max_expected_error=0.5)
        return
    assert np.isfinite(result.expected_error).all()
    # Anything is beyond so small a bound.
    with client.create_session(1, max_expected_error=1e-30) as bounded:
        bounded.reset()
        assert bounded.max_expected_error > 0
        end = bounded.step(random_actions(client, 1))
        assert end.truncated.all()
        assert end.truncation_reason.tolist() == [gwm.TruncationReason.MODEL_HORIZON]


def test_the_limit_of_steps_is_the_reason_that_a_truncation_names(client: gwm.Client) -> None:
    with client.create_session(1, max_episode_steps=1) as session:
        session.reset()
        reasons = session.step(random_actions(client, 1)).truncation_reason
        assert reasons.tolist() == [gwm.TruncationReason.MAX_EPISODE_STEPS]


def test_a_repeated_step_is_answered_from_memory(client: gwm.Client, session: gwm.Session) -> None:
    assert client.spec().raw.replays_calls
    request = simulator_pb2.StepRequest(
        session_id=session.session_id,
        actions=to_tensor(random_actions(client, 2)),
        expected_step=[0, 0],
        context=simulator_pb2.RequestContext(request_id="once"),
    )
    first, again = (client.connection.call("simulator", "Step", request, idempotent=False) for _ in range(2))
    assert not first.replayed
    assert again.replayed
    assert again.timing.gpu == first.timing.gpu
    # Where the time of the call went, it tells of itself; all else is as it was.
    for reply in (first, again):
        reply.ClearField("timing")
        reply.replayed = False
    assert again == first
    assert session.resync().tolist() == [1, 1]


def test_a_repeated_reset_begins_no_second_episode(client: gwm.Client, session: gwm.Session) -> None:
    request = simulator_pb2.ResetRequest(
        session_id=session.session_id, context=simulator_pb2.RequestContext(request_id="once")
    )
    replies = [client.connection.call("simulator", "Reset", request, idempotent=False) for _ in range(2)]
    assert [reply.replayed for reply in replies] == [False, True]
    assert [env.episode for env in session.status().envs] == [1, 1]


def test_a_repeated_creation_makes_no_second_session(client: gwm.Client) -> None:
    context = simulator_pb2.RequestContext(client_id="the same trainer", request_id="first")
    request = simulator_pb2.CreateSessionRequest(seed=5, context=context)
    replies = [
        client.connection.call("simulator", "CreateSession", request, idempotent=False) for _ in range(2)
    ]
    assert [reply.replayed for reply in replies] == [False, True]
    assert replies[0].session_id == replies[1].session_id
    other = simulator_pb2.CreateSessionRequest(seed=6, context=context)
    with pytest.raises(gwm.ConflictError) as caught:
        client.connection.call("simulator", "CreateSession", other, idempotent=False)
    assert caught.value.field == "context.request_id"
    client.attach_session(replies[0].session_id).close()
    reply = client.connection.call("simulator", "CreateSession", other, idempotent=False)
    assert not reply.replayed
    client.attach_session(reply.session_id).close()


def test_a_step_from_elsewhere_is_a_conflict_and_changes_nothing(
    client: gwm.Client, session: gwm.Session
) -> None:
    other = client.attach_session(session.session_id)
    session.step(random_actions(client, 2))
    image = session.render().rgb
    with pytest.raises(gwm.ConflictError) as caught:
        other.step(random_actions(client, 2, 1))
    assert (caught.value.reason, caught.value.field) == ("STEP_CONFLICT", "expected_step[0]")
    np.testing.assert_array_equal(session.render().rgb, image)
    assert other.resync().tolist() == [1, 1]
    assert other.step(random_actions(client, 2, 1)).step_index.tolist() == [2, 2]


def test_env_ids_choose_and_order_the_rows(client: gwm.Client, session: gwm.Session) -> None:
    session.step(random_actions(client, 1), env_ids=[1])
    assert [env.step_index for env in session.status().envs] == [0, 1]
    reordered = session.render([1, 0]).rgb
    assert reordered is not None
    np.testing.assert_array_equal(reordered[::-1], session.render().rgb)


def test_render_changes_nothing(client: gwm.Client, session: gwm.Session) -> None:
    before = session.status()
    first, second = session.render(), session.render(rgb_dtype="f32")
    assert first.rgb is not None
    assert second.rgb is not None
    assert second.rgb.dtype == np.float32
    np.testing.assert_allclose(second.rgb, first.rgb / 255.0, atol=0.51 / 255)
    assert list(session.status().envs) == list(before.envs)


def test_a_moved_camera_is_accepted(client: gwm.Client, session: gwm.Session) -> None:
    camera = client.spec().cameras[0].moved((0.02, 0, 0))
    images = session.render([0], cameras=[camera], outputs=["rgb", "depth"])
    assert images.rgb is not None
    assert images.rgb.shape == (1, 1, camera.height, camera.width, 3)
    assert images.depth is not None
    assert np.isfinite(images.depth).all()


def test_a_step_before_the_reset_is_refused(client: gwm.Client) -> None:
    with client.create_session() as made, pytest.raises(gwm.PreconditionError) as caught:
        made.step(random_actions(client, 1))
    assert caught.value.reason == "NEEDS_RESET"


def test_max_episode_steps_truncates_and_needs_a_reset(client: gwm.Client) -> None:
    with client.create_session(max_episode_steps=2) as made:
        made.reset()
        actions = np.zeros((1, *client.spec().action.shape))
        assert not made.step(actions).truncated[0]
        assert made.step(actions).truncated[0]
        with pytest.raises(gwm.PreconditionError) as caught:
            made.step(actions)
        assert caught.value.reason == "NEEDS_RESET"
        assert made.reset().episode.tolist() == [1]


@pytest.mark.parametrize("mode", ["next_step", "same_step"])
def test_episodes_that_begin_by_themselves_equal_those_begun_by_hand(client: gwm.Client, mode: str) -> None:
    settings: dict[str, Any] = {"seed": 4, "observations": ["rgb"], "max_episode_steps": 2}
    with (
        client.create_session(2, **settings) as by_hand,
        client.create_session(2, auto_reset=mode, **settings) as by_itself,
    ):
        start = by_hand.reset()
        np.testing.assert_array_equal(by_itself.reset().observations["rgb"], start.observations["rgb"])
        for step in range(2):
            actions = random_actions(client, 2, step)
            expected, seen = by_hand.step(actions), by_itself.step(actions)
        assert seen.truncated.all()
        np.testing.assert_array_equal(seen.reward, expected.reward)
        second = by_hand.reset()
        if mode == "next_step":
            np.testing.assert_array_equal(seen.observations["rgb"], expected.observations["rgb"])
            seen = by_itself.step(random_actions(client, 2, 9))
            assert seen.reward.tolist() == [0, 0]
            assert not (seen.terminated | seen.truncated).any()
            assert seen.final is None
        else:
            assert seen.final is not None
            assert seen.final.rows.tolist() == [0, 1]
            assert seen.final.step_index.tolist() == [2, 2]
            np.testing.assert_array_equal(seen.final.observations["rgb"], expected.observations["rgb"])
        assert seen.reset is not None
        assert seen.reset.all()
        assert seen.step_index.tolist() == [0, 0]
        np.testing.assert_array_equal(seen.episode, second.episode)
        np.testing.assert_array_equal(seen.observations["rgb"], second.observations["rgb"])
        actions = random_actions(client, 2, 5)
        np.testing.assert_array_equal(
            by_itself.step(actions).observations["rgb"], by_hand.step(actions).observations["rgb"]
        )


def test_a_mask_names_the_environments_to_reset(client: gwm.Client, session: gwm.Session) -> None:
    session.step(random_actions(client, 2))
    reply = session.reset(reset_mask=np.array([False, True]))
    assert reply.episode.tolist() == [1]
    assert session.resync().tolist() == [1, 0]
    for mask in (np.zeros(2, np.bool_), np.ones(3, np.bool_)):
        with pytest.raises(gwm.InvalidRequestError) as caught:
            session.reset(reset_mask=mask)
        assert caught.value.field.startswith("reset_mask")


BadCall = Callable[[gwm.Session, np.ndarray], Any]
BAD_CALLS: dict[str, tuple[BadCall, str, str]] = {
    "unknown environment": (lambda s, a: s.step(a[:1], env_ids=[7]), "BAD_FIELD", "env_ids"),
    "environment twice": (lambda s, a: s.step(a, env_ids=[1, 1]), "BAD_FIELD", "env_ids"),
    "too few rows": (lambda s, a: s.step(a[:1]), "BAD_TENSOR", "actions"),
    "too few channels": (lambda s, a: s.step(a[:, :-1]), "BAD_TENSOR", "actions"),
    "not a number": (lambda s, a: s.step(a * np.nan), "BAD_TENSOR", "actions"),
    "infinite": (lambda s, a: s.step(a + np.inf), "BAD_TENSOR", "actions"),
    "out of range": (lambda s, a: s.step(a + 1e6), "BAD_TENSOR", "actions"),
    "unknown observation": (lambda s, a: s.step(a, observations=["smell"]), "BAD_FIELD", "observations"),
    "unknown observation at reset": (
        lambda s, _: s.reset(observations=["smell"]),
        "BAD_FIELD",
        "observations",
    ),
    "absurd sampler": (lambda s, a: s.step(a, sampler_calls=100_000), "BAD_FIELD", "sampler_calls"),
    "pool entry that is not there": (
        lambda s, _: s.reset(pool_indices=[1 << 30, 0]),
        "BAD_FIELD",
        "pool_indices",
    ),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_a_bad_call_names_its_field_and_changes_nothing(
    client: gwm.Client, session: gwm.Session, name: str
) -> None:
    call, reason, field = BAD_CALLS[name]
    before, image = session.status(), session.render().rgb
    with pytest.raises(gwm.InvalidRequestError) as caught:
        call(session, random_actions(client, 2))
    assert caught.value.code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE)
    assert caught.value.reason in (reason, "LIMIT")
    assert caught.value.field.startswith(field)
    assert caught.value.message
    assert list(session.status().envs) == list(before.envs)
    np.testing.assert_array_equal(session.render().rgb, image)


def test_a_client_made_from_reflection_alone_can_step(client: gwm.Client) -> None:
    channel = client.connection.channel()
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    service = pool.FindServiceByName(SERVICE)

    def call(name: str, **fields: Any) -> Any:
        method = service.methods_by_name[name]
        request = message_factory.GetMessageClass(method.input_type)(**fields)
        reply = message_factory.GetMessageClass(method.output_type)
        stub = channel.unary_unary(
            f"/{SERVICE}/{name}",
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=reply.FromString,
        )
        return stub(request, timeout=60)

    spec = call("GetSpec")
    made = call("CreateSession", num_envs=1, seed=1)
    call("Reset", session_id=made.session_id)
    action = np.zeros((1, *spec.actions[0].shape), np.float32)
    tensor = {"dtype": spec.actions[0].dtype, "shape": action.shape, "data": action.tobytes()}
    reply = call("Step", session_id=made.session_id, actions=tensor)
    assert list(reply.step_index) == [1]
    call("CloseSession", session_id=made.session_id)
