"""Training: what the client sends, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import gwm
import numpy as np
import pytest
from gwm._generated import (
    server_pb2_grpc,
    simulator_pb2_grpc,
    trainer_pb2,
    trainer_pb2_grpc,
)


class FakeTrainer(
    trainer_pb2_grpc.TrainerServicer, simulator_pb2_grpc.SimulatorServicer, server_pb2_grpc.ServerServicer
):
    """Remembers the last request of each kind."""

    def __init__(self) -> None:
        self.requests: dict[str, Any] = {}
        self.appended: list[trainer_pb2.AppendDataRequest] = []
        self.lost_replies = 0
        self.job = trainer_pb2.TrainingJob(job_id="j", state=trainer_pb2.TrainingJob.STATE_WAITING)
        part = self.job.parts.add(part=trainer_pb2.TRAINING_PART_DYNAMICS, updates=3)
        part.terms["loss"] = 0.5
        self.job.published.add(digest="3fa9", checkpoint="trained/j/3", loaded=True)

    def AppendData(self, requests: Any, context: Any) -> Any:
        self.appended += list(requests)
        if self.lost_replies:
            self.lost_replies -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset")
        return trainer_pb2.AppendDataReply(appended=1, dataset=trainer_pb2.Dataset(frames=2))

    def StartTraining(self, request: Any, context: Any) -> Any:
        self.requests["start"] = request
        return self.job

    def GetJob(self, request: Any, context: Any) -> Any:
        return context.abort(grpc.StatusCode.NOT_FOUND, "no such job")

    def WatchJob(self, request: Any, context: Any) -> Iterator[Any]:
        self.requests["watch"] = request
        yield self.job
        self.job.state = trainer_pb2.TrainingJob.STATE_SUCCEEDED
        yield self.job


@pytest.fixture
def served() -> Iterator[tuple[FakeTrainer, str]]:
    fake = FakeTrainer()
    server = grpc.server(ThreadPoolExecutor(4))
    trainer_pb2_grpc.add_TrainerServicer_to_server(fake, server)
    simulator_pb2_grpc.add_SimulatorServicer_to_server(fake, server)
    server_pb2_grpc.add_ServerServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield fake, f"127.0.0.1:{port}"
    server.stop(None)


def small_episode() -> gwm.Episode:
    return gwm.Episode(
        rgb=np.zeros((2, 1, 2, 2, 3), np.uint8),
        depth_mm=np.zeros((2, 1, 2, 2), np.uint16),
        intrinsics=np.eye(3, dtype=np.float32)[None],
        world_from_cam=np.eye(4, dtype=np.float32)[None],
        action=np.zeros((2, 2), np.float32),
        reward=np.float32([0, 1]),
        terminated=np.uint8([0, 1]),
        success=np.uint8([0, 1]),
        state=np.zeros((2, 5), np.float32),
        metadata={"task": "push"},
    )


def test_episodes_are_named_by_their_content_and_sent_again_when_a_reply_got_lost(
    served: tuple[FakeTrainer, str],
) -> None:
    fake, address = served
    fake.lost_replies = 1
    other = small_episode()
    other.reward = np.float32([0, 2])
    with gwm.Client(address, retry=gwm.RetryPolicy(first_wait_s=0.001)) as client:
        result = client.trainer.append("d", [small_episode(), other])
    assert (result.appended, result.dataset.frames) == (1, 2)
    ids = [request.episode.episode_id for request in fake.appended]
    assert ids[:2] == ids[2:]
    assert ids[0] != ids[1]
    episode = fake.appended[0].episode
    assert list(episode.success.data) == [0, 1]
    assert episode.metadata["task"] == "push"


def test_a_job_is_started_watched_and_read(served: tuple[FakeTrainer, str]) -> None:
    fake, address = served
    with gwm.Client(address) as client:
        schedule = {"reward": gwm.PartSchedule(2, updates_per_frame=0.5)}
        job = client.trainer.start("d", schedule, profile="gwm-tiny", set_default=True, seed=4)
        assert (job.state, job.ended) == ("waiting", False)
        assert job.parts["dynamics"].terms == {"loss": 0.5}
        assert job.published[0].digest == "3fa9"
        sent = fake.requests["start"]
        assert (sent.schedule[0].part, sent.seed, sent.set_default) == (3, 4, True)
        states = [seen.state for seen in client.trainer.watch("j", min_interval_s=0.25)]
        assert states == ["waiting", "succeeded"]
        assert fake.requests["watch"].min_interval.ToMilliseconds() == 250
        with pytest.raises(gwm.NotFoundError):
            client.trainer.job("none")


def test_what_cannot_be_meant_is_said_before_anything_is_sent(served: tuple[FakeTrainer, str]) -> None:
    fake, address = served
    with gwm.Client(address) as client:
        with pytest.raises(ValueError, match="schedule: vae"):
            client.trainer.start("d", {"vae": gwm.PartSchedule(1)}, profile="gwm-tiny")
        with pytest.raises(ValueError, match="one of model_digest"):
            client.trainer.start("d", {"reward": gwm.PartSchedule(1)})
    assert "start" not in fake.requests
