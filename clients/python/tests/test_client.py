"""The typed client against a model that can be computed by hand."""

from __future__ import annotations

import contextlib
from typing import Any

import grpc
import gwm
import numpy as np
import pytest
from conftest import DATA
from fakes import FakeModel, model_server, point_server
from gwm._generated import server_pb2, simulator_pb2
from gwm.channel import largest_reply_bytes


def quick_retry(attempts: int = 4) -> tuple[gwm.RetryPolicy, list[float]]:
    waits: list[float] = []
    return gwm.RetryPolicy(attempts=attempts, sleep=waits.append), waits


def rgbd(rows: int) -> gwm.RgbdFrames:
    colours = np.arange(rows, dtype=np.uint8).reshape(rows, 1, 1, 1, 1, 1)
    return gwm.RgbdFrames(
        rgb=np.broadcast_to(colours, (rows, 1, 1, 4, 4, 3)),
        depth_mm=np.ones((rows, 1, 1, 4, 4)),
        intrinsics=np.eye(3)[None],
        world_from_cam=np.eye(4)[None],
    )


def test_imagine_streams_chunks_in_order() -> None:
    actions = np.random.default_rng(0).uniform(-1, 1, (3, 5, 2)).astype(np.float32)
    with model_server(FakeModel()) as address, gwm.Client(address) as client:
        chunks = list(client.create_session().imagine(actions, outputs=["latent"], stride=2))
    assert [chunk.t for chunk in chunks] == [2, 4, 5]
    np.testing.assert_allclose(np.concatenate([c.reward for c in chunks], 1), actions.sum(2), rtol=1e-6)
    np.testing.assert_allclose(chunks[-1].observations["latent"], actions.sum(1), rtol=1e-5)


def test_leaving_an_imagination_early_is_fine() -> None:
    with model_server(FakeModel()) as address, gwm.Client(address) as client:
        session = client.create_session()
        for chunk in session.imagine(np.zeros((4, 2))):
            assert chunk.t == 1
            break
        assert session.step([[1, 2]]).reward.tolist() == [3]


def test_encode_decode_and_features() -> None:
    with model_server(FakeModel()) as address, gwm.Client(address) as client:
        encoded = client.encode(rgbd(3))
        np.testing.assert_array_equal(encoded.latents[:, 0, 0], [0, 1, 2])
        assert client.features(rgbd(2)).features.shape == (2, 2, 5)
        images = client.decode(encoded.latents, rgbd(3))
        assert images.rgb is not None
        assert images.rgb.shape == (3, 1, 2, 2, 3)
        assert images.depth is None


def test_features_and_gaussians_in_the_shapes_that_policies_take() -> None:
    with model_server(FakeModel()) as address, gwm.Client(address) as client:
        whole = client.features(rgbd(2))
        assert whole.centres is not None
        assert (whole.checkpoint_digest, whole.cache_key) == ("d1", "features/d1")
        pooled = client.features(rgbd(2), pooling="attention", dtype="f16")
        assert pooled.centres is None
        assert (pooled.features.shape, pooled.features.dtype) == ((2, 8, 5), np.float16)
        with pytest.raises(ValueError, match=r"pooling is 'max'; allowed are 'tokens', 'mean', 'attention'"):
            client.features(rgbd(1), pooling="max")
        with pytest.raises(ValueError, match=r"dtype is 'u8'; allowed are 'f32', 'f16', 'bf16'"):
            client.features(rgbd(1), dtype="u8")
        assert client.encode(rgbd(2)).gaussians == ()
        encoded = client.encode(rgbd(2), gaussian_count=7)
    assert encoded.checkpoint_digest == "d1"
    assert [cloud.means.shape for cloud in encoded.gaussians] == [(7, 3), (7, 3)]


class NotingModel(FakeModel):
    """Remembers who called for perception, and how urgently."""

    def __init__(self) -> None:
        super().__init__()
        self.contexts: list[Any] = []

    def Encode(self, request: Any, context: Any) -> Any:
        self.contexts.append(request.context)
        return super().Encode(request, context)

    def Decode(self, request: Any, context: Any) -> Any:
        self.contexts.append(request.context)
        return super().Decode(request, context)

    def Features(self, request: Any, context: Any) -> Any:
        self.contexts.append(request.context)
        return super().Features(request, context)


def test_perception_calls_say_whose_they_are_and_how_urgent() -> None:
    model = NotingModel()
    with model_server(model) as address, gwm.Client(address, client_id="me", priority="low") as client:
        encoded = client.encode(rgbd(1))
        client.decode(encoded.latents, rgbd(1))
        client.features(rgbd(1))
    assert [(c.client_id, c.priority) for c in model.contexts] == [("me", simulator_pb2.PRIORITY_LOW)] * 3


def test_observe_tells_how_far_the_imagined_states_were() -> None:
    model = FakeModel(refuse_first=1, replays_calls=True)
    retry, _ = quick_retry()
    with model_server(model) as address, gwm.Client(address, retry=retry) as client:
        result = client.create_session(2).observe(rgbd(2), re_anchor=True)
    np.testing.assert_array_equal(result.latent_error, [0, 1])
    np.testing.assert_array_equal(result.psnr_db, [100, 99])
    assert result.step_index.tolist() == [3, 3]
    # Sent again as it was: under its name.
    first, again = model.observed
    assert first == again
    assert first.re_anchor
    assert first.context.request_id


def test_failed_rows_are_marked() -> None:
    with model_server(FakeModel()) as address, gwm.Client(address) as client:
        result = client.create_session().step(np.zeros((2, 2)))
    assert result.failed.tolist() == [False, True]


def test_calls_that_are_safe_to_repeat_are_repeated() -> None:
    model = FakeModel(refuse_first=2)
    retry, waits = quick_retry()
    with model_server(model) as address, gwm.Client(address, retry=retry) as client:
        assert client.encode(rgbd(1)).latents.shape == (1, 1, 3)
    assert model.calls["Encode"] == 3
    assert len(waits) >= 2


def test_a_step_is_never_repeated_when_it_may_have_happened() -> None:
    model = FakeModel(refuse_first=1)
    retry, _ = quick_retry()
    with model_server(model) as address, gwm.Client(address, retry=retry) as client:
        session = client.create_session()  # by its second call, under the same name
        with pytest.raises(gwm.UnavailableError, match="not yet"):
            session.step([[0, 0]])
    assert model.calls["CreateSession"] == 2
    assert model.calls["Step"] == 1


def test_a_step_is_repeated_as_it_was_where_the_server_knows_repetitions() -> None:
    model = FakeModel(refuse_first=2, replays_calls=True)
    retry, waits = quick_retry()
    with model_server(model) as address, gwm.Client(address, retry=retry) as client:
        session = client.create_session(2)
        waits.clear()
        session.step(np.zeros((2, 2)))
        session.step(np.zeros((1, 2)), env_ids=[1])
    assert model.steps[0] == model.steps[1] == model.steps[2]
    assert list(model.steps[2].expected_step) == [0, 0]
    assert list(model.steps[3].expected_step) == [1]
    assert model.steps[3].context.request_id not in ("", model.steps[2].context.request_id)
    assert len(waits) == 2


@pytest.mark.parametrize(("pushback_ms", "expected"), [("700", [0.7]), ("-1", []), ("soon", [])])
def test_the_pushback_trailer_is_heeded(pushback_ms: str, expected: list[float]) -> None:
    model = FakeModel(refuse_first=1, pushback_ms=pushback_ms)
    retry, waits = quick_retry()
    with model_server(model) as address, gwm.Client(address, retry=retry) as client:
        with contextlib.suppress(gwm.UnavailableError):
            client.spec()
        waits.clear()
        with contextlib.suppress(gwm.UnavailableError):
            client.encode(rgbd(1))
    assert waits == expected


def test_a_conflict_of_step_counts_is_not_repeated() -> None:
    retry, waits = quick_retry()
    conflict = gwm.ConflictError("3", code=grpc.StatusCode.ABORTED, reason="STEP_CONFLICT")

    def attempt(_: float) -> None:
        raise conflict

    with pytest.raises(gwm.ConflictError):
        retry.call(attempt, 10, idempotent=True)
    assert waits == []


def test_a_refused_call_waits_as_long_as_the_server_asks() -> None:
    retry, waits = quick_retry(attempts=2)
    busy = gwm.ResourceExhaustedError(
        "full", code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_after_s=1.5
    )
    answers = iter([busy, "done"])

    def attempt(_: float) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert retry.call(attempt, 10, idempotent=False) == "done"
    assert waits == [1.5]


def test_a_wait_beyond_the_timeout_is_not_begun() -> None:
    retry, waits = quick_retry()
    busy = gwm.ResourceExhaustedError(
        "full", code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_after_s=60
    )

    def attempt(_: float) -> None:
        raise busy

    with pytest.raises(gwm.ResourceExhaustedError):
        retry.call(attempt, 10, idempotent=True)
    assert waits == []


def test_nobody_at_the_address_is_unavailable_and_names_it() -> None:
    retry, _ = quick_retry(attempts=2)
    with gwm.Client("127.0.0.1:1", retry=retry) as client, pytest.raises(gwm.UnavailableError) as caught:
        client.spec()
    assert "127.0.0.1:1" in str(caught.value)
    assert isinstance(caught.value, ConnectionError)


def test_a_closed_client_says_so() -> None:
    client = gwm.Client("127.0.0.1:1")
    client.close()
    with pytest.raises(gwm.GwmError, match="closed"):
        client.spec()


def test_an_empty_address_is_refused() -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        gwm.Client("")


def test_message_limits_come_from_the_server() -> None:
    model = FakeModel()
    model.limits = server_pb2.Limits(max_message_bytes=1 << 20, max_pixels_per_render=1 << 10)
    with model_server(model) as address, gwm.Client(address) as client:
        with pytest.raises(gwm.ResourceExhaustedError):
            client.encode(
                gwm.RgbdFrames(
                    np.zeros((1, 1, 1, 512, 1024, 3)), np.zeros((1, 1, 1, 1, 1)), np.eye(3), np.eye(4)
                )
            )
        assert "Encode" not in model.calls


def test_the_largest_reply_covers_renders_and_observations() -> None:
    limits = server_pb2.Limits(max_pixels_per_render=1000, max_envs_per_session=10)
    assert largest_reply_bytes(limits, None) >= 20 * 1000
    field = simulator_pb2.FieldSpec(name="rgb", shape=[1, 1024, 1024, 3])
    spec = simulator_pb2.SimulatorSpec(observations=[field])
    assert largest_reply_bytes(limits, spec) >= 10 * 3 * 1024 * 1024
    huge = server_pb2.Limits(max_pixels_per_render=1 << 40)
    assert largest_reply_bytes(huge, None) == (1 << 31) - 1


def test_an_unknown_output_is_named_before_the_call() -> None:
    with point_server() as server, gwm.Client(server.address) as client, client.create_session() as session:
        with pytest.raises(ValueError, match="unknown output 'smell'"):
            session.render(outputs=["smell"])
        with pytest.raises(ValueError, match="auto_reset is 'maybe'"):
            client.create_session(auto_reset="maybe")
        with pytest.raises(ValueError, match="frames or episode or state"):
            session.reset(frames=rgbd(1), episode=gwm.EpisodeFrame("x"))


def test_an_error_tells_code_reason_field_and_value() -> None:
    with point_server() as server, gwm.Client(server.address) as client, client.create_session(2) as session:
        session.reset()
        with pytest.raises(gwm.InvalidRequestError) as caught:
            session.step([[0, 0], [0, 7]])
    assert str(caught.value).startswith("INVALID_ARGUMENT/BAD_TENSOR")
    assert "value at [1, 1] is 7; allowed are -1 to 1" in str(caught.value)
    assert caught.value.field == "actions"
    assert caught.value.metadata == {}


def test_frames_of_an_episode_carry_the_actions_between_them() -> None:
    episode = gwm.read_episode(DATA / "episodes" / "hammer-v3" / "noisy_005.safetensors.zst")
    frames = gwm.RgbdFrames.from_episode(episode, [4, 9], context=3)
    assert frames.rgb.shape == (2, 3, 1, 64, 64, 3)
    np.testing.assert_array_equal(frames.rgb[1, 2], episode.rgb[9])
    assert frames.actions is not None
    np.testing.assert_array_equal(frames.actions[0], episode.action[3:5])
    early = gwm.RgbdFrames.from_episode(episode, [0, 9], context=3)
    assert early.rgb.shape[1] == 1
    assert early.actions is None
    with pytest.raises(IndexError, match="row 101"):
        gwm.RgbdFrames.from_episode(episode, [101])
