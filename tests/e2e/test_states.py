"""States that leave their session: forks, exports, and a server that goes on where another one died."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import gwm
import numpy as np
import pytest
from processes import ServerProcess

STEPS = 4
# More than one denoiser call draws noise; then the random numbers must travel with the state as well.
SAMPLER_CALLS = 3


def actions(seed: int, steps: int = STEPS) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (steps, 1, 4)).astype(np.float32)


def walk(session: gwm.Session, chosen: np.ndarray, env_ids: list[int] | None = None) -> list[np.ndarray]:
    """All that a session shows on the way."""
    seen: list[np.ndarray] = []
    for action in chosen:
        rows = len(env_ids) if env_ids else session.num_envs
        result = session.step(np.repeat(action, rows, 0), env_ids, observations=["rgb", "latent"])
        seen += [result.observations["rgb"], result.observations["latent"], result.reward, result.step_index]
    return seen


def same(left: list[np.ndarray], right: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.fixture
def started(client: gwm.Client) -> Iterator[gwm.Session]:
    """A session in the middle of an episode."""
    with client.create_session(seed=6, sampler_calls=SAMPLER_CALLS) as session:
        session.reset(pool_indices=[0])
        walk(session, actions(1))
        yield session


def test_a_state_goes_on_bit_for_bit_on_another_server_after_kill_9(tmp_path: Path) -> None:
    first = ServerProcess(tmp_path / "first.log")
    try:
        with gwm.Client(first.address) as client:
            session = client.create_session(seed=6, sampler_calls=SAMPLER_CALLS)
            session.reset(pool_indices=[1])
            walk(session, actions(1))
            blob = session.export_state().blob
            expected = walk(session, actions(2))
    finally:
        first.kill()
    second = ServerProcess(tmp_path / "second.log")
    try:
        with gwm.Client(second.address) as client:
            # In another row of another session with another seed: all that matters travels with the state.
            session = client.create_session(3, seed=99, sampler_calls=SAMPLER_CALLS)
            session.reset()
            start = session.reset([2], state=gwm.StateRef(blob=blob))
            assert start.step_index is not None
            assert start.step_index.tolist() == [STEPS]
            assert same(walk(session, actions(2), [2]), expected)
    finally:
        assert second.terminate(signal.SIGINT) == 0


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_keep_reproduces_the_parent_and_split_does_not(started: gwm.Session, seed: int) -> None:
    walk(started, actions(seed, 2))
    with started.fork() as kept, started.fork(split=True) as split:
        chosen = actions(seed + 100)
        expected = walk(started, chosen)
        assert same(walk(kept, chosen), expected)
        assert not same(walk(split, chosen), expected)


def test_children_in_the_same_session_share_nothing_but_their_start(started: gwm.Session) -> None:
    children = started.fork_here(count=2)
    assert children == [1, 2]
    chosen = actions(3)
    first = walk(started, chosen, [1])
    walk(started, -chosen, [2])
    assert same(walk(started, chosen, [0]), first)


def test_a_kept_state_can_be_looked_at_imagined_from_and_dropped(started: gwm.Session) -> None:
    kept = started.export_state(keep_on_server=True)
    image = started.render().rgb
    chosen = actions(4)
    expected = walk(started, chosen)
    np.testing.assert_array_equal(started.render(state=kept).rgb, image)
    imagined = started.imagine(
        chosen[:, 0], state=kept, outputs=["latent"], sampler_calls=SAMPLER_CALLS, return_final_state=True
    )
    *_, last = imagined
    np.testing.assert_array_equal(last.observations["latent"], expected[-3])
    started.reset(state=last.final_states[0])
    assert started.status().envs[0].step_index == 2 * STEPS
    np.testing.assert_array_equal(started.render().rgb, started.render(state=last.final_states[0]).rgb)
    started.drop_state(kept)
    started.drop_state(kept)
    with pytest.raises(gwm.NotFoundError):
        started.render(state=kept)


def test_a_plan_returns_what_stepping_would_give(started: gwm.Session) -> None:
    sequences = np.random.default_rng(5).uniform(-1, 1, (3, STEPS, 4)).astype(np.float32)
    plan = started.plan(sequences, discount=0.5)
    assert plan.best == int(np.argmax(plan.returns))
    np.testing.assert_array_equal(plan.best_actions, sequences[plan.best])
    assert started.status().envs[0].step_index == STEPS
    for actions_of_one, expected in zip(sequences, plan.returns, strict=True):
        with started.fork() as child:
            rewards = [float(child.step(action).reward[0]) for action in actions_of_one]
        assert sum(reward * 0.5**t for t, reward in enumerate(rewards)) == pytest.approx(expected, rel=1e-6)


def test_an_imported_state_need_not_be_sent_again(started: gwm.Session) -> None:
    blob = started.export_state().blob
    kept = started.import_state(blob)
    np.testing.assert_array_equal(
        started.render(state=kept).rgb, started.render(state=gwm.StateRef(blob=blob)).rgb
    )


def test_corrupt_and_foreign_states_are_refused_and_change_nothing(started: gwm.Session) -> None:
    blob = started.export_state().blob
    image = started.render().rgb
    digest = blob.index(b"checkpoint_digest") + len(b'checkpoint_digest":"')
    for damaged in (blob[:-1], blob[:100], b"", blob[:2000] + b"x" + blob[2001:], b"GWMSTATE"):
        with pytest.raises((gwm.GwmError, ValueError)) as caught:
            started.reset(state=gwm.StateRef(blob=damaged))
        if damaged:
            assert isinstance(caught.value, gwm.GwmError)
            assert (caught.value.code.name, caught.value.reason) == ("DATA_LOSS", "STATE_CORRUPT")
    foreign = blob[:digest] + bytes([blob[digest] ^ 1]) + blob[digest + 1 : -4]
    foreign += crc32c(foreign).to_bytes(4, "little")
    with pytest.raises(gwm.PreconditionError) as refused:
        started.reset(state=gwm.StateRef(blob=foreign))
    assert refused.value.reason == "STATE_MISMATCH"
    np.testing.assert_array_equal(started.render().rgb, image)


def crc32c(data: bytes) -> int:
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (0x82F63B78 if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


def test_a_server_with_a_key_takes_only_what_it_sealed(tmp_path: Path, started: gwm.Session) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"a secret that two servers share")
    sealing = ServerProcess(tmp_path / "sealing.log", f"--state-key-file={key}")
    try:
        with gwm.Client(sealing.address) as client, client.create_session(seed=1) as session:
            session.reset(pool_indices=[0])
            sealed = session.export_state()
            session.reset(state=sealed)
            with pytest.raises(gwm.GwmError) as caught:
                session.reset(state=started.export_state())
            assert caught.value.reason == "STATE_CORRUPT"
    finally:
        sealing.terminate(signal.SIGINT)
