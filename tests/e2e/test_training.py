"""A server that trains while it serves: gwm-tiny from episodes to a session, and kill -9 on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import gwm
import numpy as np
import pytest
from conftest import EPISODES
from processes import ServerProcess

FRAMES = 40
SMALL_BATCHES = '{"vae": {"batch": 2}, "dynamics": {"batch": 2}, "reward": {"batch": 2}}'
CONFIG = "threads: 1\nlame_duck {}\nlimits { max_models: 8 }\ntraining_save_period { nanos: 50000000 }\n"


def halved(episode: gwm.Episode) -> gwm.Episode:
    """The start of a recorded episode at the size of gwm-tiny: 2 views of 32 x 32."""
    scale = np.float32([[0.5, 1, 0.5], [1, 0.5, 0.5], [1, 1, 1]])
    return gwm.Episode(
        rgb=np.repeat(episode.rgb[:FRAMES, :, ::2, ::2], 2, axis=1),
        depth_mm=np.repeat(episode.depth_mm[:FRAMES, :, ::2, ::2], 2, axis=1),
        intrinsics=np.repeat(episode.intrinsics * scale, 2, axis=0),
        world_from_cam=np.repeat(episode.world_from_cam, 2, axis=0),
        action=episode.action[:FRAMES],
        reward=episode.reward[:FRAMES],
        terminated=episode.terminated[:FRAMES],
        success=episode.success[:FRAMES],
        metadata={"task": episode.task},
    )


@pytest.fixture(scope="module")
def episodes() -> list[gwm.Episode]:
    return [halved(gwm.read_episode(path)) for path in gwm.find_episodes(EPISODES)[:4]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    config = tmp_path / "server.textproto"
    config.write_text(CONFIG)
    (tmp_path / "checkpoints").mkdir()
    process = ServerProcess(
        tmp_path / "server.log",
        "--toy=push",
        f"--config={config}",
        f"--checkpoint-root={tmp_path / 'checkpoints'}",
        f"--training-root={tmp_path / 'training'}",
    )
    yield process
    assert process.terminate() == 0


def begin(client: gwm.Client, updates: int, **options: object) -> gwm.TrainingJob:
    schedule = {
        "tokenizer": gwm.PartSchedule(4),
        "dynamics": gwm.PartSchedule(updates),
        "reward": gwm.PartSchedule(2),
    }
    return client.trainer.start(
        "push",
        schedule,
        job_id="job",
        profile="gwm-tiny",
        train_json=SMALL_BATCHES,
        micro_rows=2,
        seed=3,
        end_when_idle=True,
        **options,
    )


def test_fresh_weights_become_a_version_that_sessions_can_use(
    server: ServerProcess, episodes: list[gwm.Episode]
) -> None:
    with gwm.Client(server.address, timeout_s=60) as client:
        sent = client.trainer.append("push", episodes)
        assert (sent.appended, sent.dataset.frames) == (len(episodes), FRAMES * len(episodes))
        assert client.trainer.append("push", episodes).duplicates == len(episodes)
        with client.create_session() as toy:  # serving goes on beside it
            toy.reset(seed=1)
            still = np.zeros((1, *client.spec().action.shape), np.float32)
            begin(client, 6, set_default=True)
            toy.step(still)
            last = list(client.trainer.watch("job", min_interval_s=0.05, timeout_s=60))[-1]
        assert (last.state, last.error) == ("succeeded", "")
        assert {name: part.updates for name, part in last.parts.items()} == {
            "tokenizer": 4,
            "dynamics": 6,
            "reward": 2,
        }
        assert all(np.isfinite(part.terms["loss"]) for part in last.parts.values())
        (version,) = last.published
        spec = client.spec(refresh=True)
        assert (spec.checkpoint_digest, spec.model_id) == (version.digest, "gwm-tiny")
        with client.create_session(checkpoint_digest=version.digest) as session:
            session.reset(seed=1)
            step = session.step(np.zeros((1, 4), np.float32), observations=["rgb"])
            assert step.observations["rgb"].shape == (1, 2, 32, 32, 3)
        assert server.metric("gwm_train_steps_total", part="dynamics") == 6
        assert server.metric("gwm_checkpoint_bytes", kind="publish") == version.bytes


def test_a_wrong_size_ends_the_job_with_what_is_asked_for(
    server: ServerProcess, episodes: list[gwm.Episode]
) -> None:
    with gwm.Client(server.address, timeout_s=60) as client:
        client.trainer.append("push", episodes[:1])
        schedule = {"dynamics": gwm.PartSchedule(1)}
        job = client.trainer.start("push", schedule, profile="gwm-tiny", model_json='{"views": 1}')
        last = list(client.trainer.watch(job.job_id, min_interval_s=0.05, timeout_s=60))[-1]
        assert last.state == "failed"
        assert "the model takes 1 of 32x32" in last.error
        with pytest.raises(gwm.GwmError) as caught:
            client.trainer.start("push", schedule, profile="gwm-huge")
        assert "gwm-huge" in str(caught.value)
        assert client.models.list()[0].state == "ready"


def test_what_was_confirmed_is_there_after_kill_9_while_episodes_come(
    server: ServerProcess, episodes: list[gwm.Episode]
) -> None:
    confirmed: list[str] = []
    enough = threading.Event()

    def send() -> None:
        with gwm.Client(server.address, timeout_s=30, retry=gwm.RetryPolicy(attempts=1)) as client:
            for number in range(10_000):
                try:
                    client.trainer.append("push", [episodes[number % 4]], ids=[f"e{number}"])
                except gwm.GwmError:
                    return
                confirmed.append(f"e{number}")
                if number == 20:
                    enough.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert enough.wait(60)
    server.kill()
    sender.join()
    server.start()
    with gwm.Client(server.address, timeout_s=60) as client:
        # The one on its way may have been written without its reply.
        assert client.trainer.dataset("push").episodes - len(confirmed) in (0, 1)
        again = client.trainer.append("push", [episodes[0]] * len(confirmed), ids=confirmed)
        assert (again.appended, again.duplicates) == (0, len(confirmed))
        assert server.metric("gwm_train_damaged_files_total") == 0


def test_a_job_goes_on_after_kill_9_and_keeps_what_it_published(
    server: ServerProcess, episodes: list[gwm.Episode]
) -> None:
    with gwm.Client(server.address, timeout_s=60) as client:
        client.trainer.append("push", episodes[:2])
        schedule = {
            "tokenizer": gwm.PartSchedule(4, max_updates=4),
            "dynamics": gwm.PartSchedule(10, updates_per_frame=10, max_updates=210),
        }
        client.trainer.start(
            "push",
            schedule,
            job_id="job",
            profile="gwm-tiny",
            train_json=SMALL_BATCHES,
            micro_rows=2,
            publish_every=40,
            keep_published=6,
        )
        client.trainer.append("push", episodes[2:])
        for job in client.trainer.watch("job", min_interval_s=0, timeout_s=60):
            if len(job.published) == 2 and job.parts["dynamics"].updates > 60:
                break
        before = client.trainer.job("job")
        assert not before.ended
        server.kill()
        server.start()
    with gwm.Client(server.address, timeout_s=60) as client:
        after = next(iter(client.trainer.watch("job", timeout_s=60)))
        last = list(client.trainer.watch("job", min_interval_s=0.05, timeout_s=60))[-1]
        assert (last.state, last.error, last.resumed) == ("succeeded", "", 1)
        assert {name: part.updates for name, part in last.parts.items()} == {"tokenizer": 4, "dynamics": 210}
        print(f"killed at {before.parts}, went on from {after.parts}")
        kept = [one.digest for one in last.published]
        assert [one.digest for one in before.published] == kept[:2]
        assert len(kept) > 2
        for digest in (kept[0], kept[-1]):
            with client.create_session(checkpoint_digest=digest) as session:
                session.reset(seed=1)
