"""A remote client and the shipped world: reset, step, imagine, look, and get the same again."""

from __future__ import annotations

import gwm
import numpy as np
import pytest
from conftest import EPISODES
from demo.rollouts import camera_of, frames_at
from gwm.episode import read_episode
from gwm.types import EpisodeFrame

EPISODE_NAME = "hammer-v3/expert_005.safetensors.zst"
EPISODE = read_episode(EPISODES / EPISODE_NAME)


def roll(session: gwm.Session, steps: int, env_ids: list[int] | None = None) -> np.ndarray:
    rows = len(env_ids) if env_ids else session.num_envs
    frames = []
    for step in range(3, 3 + steps):
        actions = np.tile(EPISODE.action[step], (rows, 1))
        frames.append(session.step(actions, env_ids, observations=["rgb"]).observations["rgb"])
    return np.stack(frames)


def test_shows_the_real_frame_after_a_reset(client: gwm.Client) -> None:
    context = client.spec().context_frames
    with client.create_session(seed=1, observations=["rgb"]) as session:
        shown = session.reset(frames=frames_at(EPISODE, [2], context)).observations["rgb"][0, 0]
    error = np.mean((shown / 255.0 - EPISODE.rgb[2, 0] / 255.0) ** 2)
    assert error < 1e-3  # 30 dB


def test_same_seed_and_actions_give_the_same_bits(client: gwm.Client) -> None:
    frames = frames_at(EPISODE, [2], client.spec().context_frames)
    runs = []
    for _ in range(2):
        with client.create_session(seed=5) as session:
            session.reset(frames=frames)
            runs.append(roll(session, 4))
    assert np.array_equal(runs[0], runs[1])


def test_a_world_is_the_same_alone_and_in_company(client: gwm.Client) -> None:
    frames = frames_at(EPISODE, [2], client.spec().context_frames)
    with client.create_session(num_envs=5, seed=5) as session:
        session.reset(frames=frames)
        together = roll(session, 3)
    with client.create_session(num_envs=5, seed=5) as session:
        session.reset(frames=frames)
        alone = np.concatenate([roll(session, 3, [row]) for row in range(5)], axis=1)
    assert np.array_equal(together, alone)


def test_resets_from_the_pool_and_from_an_episode_file(client: gwm.Client) -> None:
    assert {"pool", "frames", "episode"} <= client.spec().inits
    with client.create_session(num_envs=2, seed=3, observations=["rgb"]) as session:
        start = session.reset()
        assert len(start.pool_indices) == 2
        again = session.reset(pool_indices=start.pool_indices.tolist())
        assert np.array_equal(start.observations["rgb"], again.observations["rgb"])
        from_file = session.reset([0], episode=EpisodeFrame(EPISODE_NAME, 2))
        context = client.spec().context_frames
        from_frames = session.reset([1], frames=frames_at(EPISODE, [2], context))
    assert np.array_equal(from_file.observations["rgb"], from_frames.observations["rgb"])


def test_imagines_what_stepping_would_give_and_leaves_the_session_alone(client: gwm.Client) -> None:
    with client.create_session(seed=9) as session:
        session.reset(frames=frames_at(EPISODE, [2], client.spec().context_frames))
        chunks = list(session.imagine(EPISODE.action[None, 3:7], outputs=["rgb"]))
        stepped = roll(session, 4)
    imagined = np.stack([chunk.observations["rgb"] for chunk in chunks])
    assert [chunk.t for chunk in chunks] == [1, 2, 3, 4]
    assert np.array_equal(imagined, stepped)


def test_renders_from_a_camera_that_no_frame_was_taken_from(client: gwm.Client) -> None:
    with client.create_session(seed=2) as session:
        session.reset(frames=frames_at(EPISODE, [2], client.spec().context_frames))
        cameras = [camera_of(EPISODE), camera_of(EPISODE).moved((0.05, 0, 0))]
        images = session.render(cameras=cameras, outputs=("rgb", "depth", "alpha"))
    assert images.rgb is not None
    assert images.rgb.shape == (1, 2, 64, 64, 3)
    assert not np.array_equal(images.rgb[0, 0], images.rgb[0, 1])


def test_encodes_decodes_and_gives_features(client: gwm.Client) -> None:
    frames = frames_at(EPISODE, [2, 7], 1)
    encoded = client.encode(frames)
    images = client.decode(encoded.latents, frames)
    features = client.features(frames).features
    assert encoded.latents.shape[:2] == encoded.centres.shape[:2] == features.shape[:2]
    assert images.rgb is not None
    assert images.rgb.shape == (2, 1, 64, 64, 3)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("pooling", ["tokens", "mean", "attention"])
def test_features_of_a_frame_are_the_same_bits_in_any_company(client: gwm.Client, pooling: str) -> None:
    frames = [2, 7, 11, 2, 19]
    together = client.features(frames_at(EPISODE, frames, 1), pooling=pooling)
    alone = [client.features(frames_at(EPISODE, [row], 1), pooling=pooling).features[0] for row in frames]
    pair = client.features(frames_at(EPISODE, [19, 7], 1), pooling=pooling).features
    assert np.array_equal(together.features, np.stack(alone))
    assert np.array_equal(together.features[[4, 1]], pair)
    assert not np.array_equal(alone[0], alone[1])
    assert together.checkpoint_digest == client.spec().checkpoint_digest


def test_pooled_features_are_what_the_contract_says_of_all_tokens(client: gwm.Client) -> None:
    frames = frames_at(EPISODE, [2, 7], 1)
    tokens = client.features(frames).features.astype(np.float64)
    width = tokens.shape[2]
    np.testing.assert_allclose(
        client.features(frames, pooling="mean").features, tokens.mean(1), rtol=1e-5, atol=1e-6
    )
    mean, variance = tokens.mean(2, keepdims=True), tokens.var(2, keepdims=True)
    keys = (tokens - mean) / np.sqrt(variance + 1e-6)
    queries = np.array([[query_entry(i, j) for j in range(width)] for i in range(8)])
    scores = np.exp(np.einsum("qd,nmd->nqm", queries, keys) / np.sqrt(width))
    expected = scores / scores.sum(2, keepdims=True) @ tokens
    attention = client.features(frames, pooling="attention").features
    np.testing.assert_allclose(attention, expected, rtol=1e-4, atol=1e-5)
    half = client.features(frames, pooling="attention", dtype="f16").features
    np.testing.assert_array_equal(half, attention.astype(np.float16))


def query_entry(i: int, j: int) -> int:
    """FEATURE_POOLING_ATTENTION of perception.proto: the highest bit of SplitMix64's first output."""
    x = ((i << 32) + j + 0x9E3779B97F4A7C15) % 2**64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) % 2**64
    return 1 if (x ^ (x >> 31)) >> 63 else -1


def test_gives_the_gaussians_of_a_frame_for_point_cloud_policies(client: gwm.Client) -> None:
    frames = frames_at(EPISODE, [2, 7], 1)
    clouds = client.encode(frames, gaussian_count=256).gaussians
    assert [cloud.means.shape for cloud in clouds] == [(256, 3)] * 2
    assert all(np.isfinite(cloud.means).all() for cloud in clouds)
    assert len(np.unique(clouds[0].means, axis=0)) == 256
    fewer = client.encode(frames, gaussian_count=16).gaussians[1]
    assert np.array_equal(fewer.means, clouds[1].means[:16])
    with pytest.raises(gwm.GwmError, match=r"max_sampled_gaussians|SimulatorSpec\.gaussians") as caught:
        client.encode(frames, gaussian_count=10**6)
    assert (caught.value.reason, caught.value.field) == ("LIMIT", "gaussian_count")


@pytest.mark.parametrize(
    ("actions", "field"),
    [
        (np.full((1, 4), np.nan, np.float32), "actions"),
        (np.full((1, 4), 7, np.float32), "actions"),
        (np.zeros((1, 3), np.float32), "actions"),
        (np.zeros((2, 4), np.float32), "actions"),
    ],
)
def test_refuses_bad_actions_and_changes_nothing(client: gwm.Client, actions: np.ndarray, field: str) -> None:
    with client.create_session(seed=4) as session:
        session.reset()
        with pytest.raises(gwm.InvalidRequestError) as caught:
            session.step(actions)
        assert (caught.value.reason, field in caught.value.field) == ("BAD_TENSOR", True)
        assert session.status().envs[0].step_index == 0
