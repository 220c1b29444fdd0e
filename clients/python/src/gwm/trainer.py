"""Training on a server: `client.trainer.append("push", episodes)`, `client.trainer.start("push", ...)`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import duration_pb2
from gwm._generated import trainer_pb2
from gwm.channel import Connection
from gwm.episode import Episode
from gwm.wire import to_tensor

# Opening a large model, or a disk that is slow.
TRAIN_TIMEOUT_S = 600.0
PARTS = ("tokenizer", "dynamics", "reward", "error")
ENDED = ("succeeded", "cancelled", "failed")


@dataclass(frozen=True)
class DatasetInfo:
    dataset: str
    episodes: int
    frames: int
    bytes: int
    """On the server's disk."""
    appended_frames: int
    """Ever."""
    dropped_episodes: int


@dataclass(frozen=True)
class AppendResult:
    appended: int
    duplicates: int
    dataset: DatasetInfo


@dataclass(frozen=True)
class PartSchedule:
    """initial_updates + updates_per_frame * (frames appended since the job began), at most max_updates."""

    initial_updates: int = 0
    updates_per_frame: float = 0.0
    max_updates: int = 0
    """0: no end."""


@dataclass(frozen=True)
class TrainedCheckpoint:
    checkpoint: str
    """Folder below the server's root of checkpoints."""
    digest: str
    bytes: int
    created_s: float
    """Unix time."""
    job_id: str
    dynamics_updates: int
    appended_frames: int
    loaded: bool
    """Served now."""


@dataclass(frozen=True)
class PartProgress:
    updates: int
    target_updates: int
    terms: Mapping[str, float]
    """Means over the last update, "loss" among them."""


@dataclass(frozen=True)
class TrainingJob:
    job_id: str
    state: str
    """"queued", "running", "waiting" (for data), "succeeded", "cancelled" or "failed"."""
    dataset: str
    parts: Mapping[str, PartProgress]
    replay_frames: int
    appended_frames: int
    published: tuple[TrainedCheckpoint, ...]
    """Newest last."""
    device_time_s: float
    resumed: int
    error: str

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class Trainer:
    """Datasets, jobs and the checkpoints that they make. Thread-safe; errors are GwmError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(
        self,
        dataset: str,
        episodes: Iterable[Episode],
        *,
        ids: Sequence[str] | None = None,
        timeout_s: float = TRAIN_TIMEOUT_S,
    ) -> AppendResult:
        """Adds episodes in this order; the first that the server refuses ends the call, those before it stay.

        ids: their names, unique in the dataset; None: a digest of each one's content. One that is there
        already changes nothing, so a call whose reply got lost is simply made again.
        """
        messages = [
            trainer_pb2.AppendDataRequest(dataset=dataset, episode=_episode(episode, ids[n] if ids else ""))
            for n, episode in enumerate(episodes)
        ]
        reply = self._connection.send("trainer", "AppendData", messages, timeout_s=timeout_s)
        return AppendResult(reply.appended, reply.duplicates, _dataset(reply.dataset))

    def dataset(self, dataset: str) -> DatasetInfo:
        request = trainer_pb2.GetDatasetRequest(dataset=dataset)
        return _dataset(self._connection.call("trainer", "GetDataset", request, idempotent=True))

    def delete_dataset(self, dataset: str) -> None:
        """No job that has not ended may use it."""
        request = trainer_pb2.DeleteDatasetRequest(dataset=dataset)
        self._connection.call("trainer", "DeleteDataset", request, idempotent=False)

    def start(
        self,
        dataset: str,
        schedule: Mapping[str, PartSchedule],
        *,
        timeout_s: float = TRAIN_TIMEOUT_S,
        **options: Any,
    ) -> TrainingJob:
        """Begins a job; returns once the model to train is open.

        schedule: by part, "tokenizer", "dynamics", "reward", "error". options: the other fields of
        StartTrainingRequest in gwm/v1/trainer.proto; one of model_digest, checkpoint and profile among them.
        """
        unknown = set(schedule) - set(PARTS)
        if unknown:
            raise ValueError(f"schedule: {', '.join(sorted(unknown))}; allowed are {', '.join(PARTS)}")
        if sum(bool(options.get(name)) for name in ("model_digest", "checkpoint", "profile")) != 1:
            raise ValueError("one of model_digest, checkpoint and profile is asked for")
        request = trainer_pb2.StartTrainingRequest(dataset=dataset, **options)
        for name, part in schedule.items():
            request.schedule.add(
                part=PARTS.index(name) + 1,
                initial_updates=part.initial_updates,
                updates_per_frame=part.updates_per_frame,
                max_updates=part.max_updates,
            )
        reply = self._connection.call(
            "trainer", "StartTraining", request, idempotent=bool(request.job_id), timeout_s=timeout_s
        )
        return _job(reply)

    def job(self, job_id: str) -> TrainingJob:
        request = trainer_pb2.GetJobRequest(job_id=job_id)
        return _job(self._connection.call("trainer", "GetJob", request, idempotent=True))

    def jobs(self) -> list[TrainingJob]:
        """Oldest first, ended ones included."""
        request = trainer_pb2.ListJobsRequest()
        reply = self._connection.call("trainer", "ListJobs", request, idempotent=True)
        return [_job(job) for job in reply.jobs]

    def cancel(self, job_id: str) -> TrainingJob:
        """Ends it after the piece that runs; what it published stays."""
        request = trainer_pb2.CancelJobRequest(job_id=job_id)
        return _job(self._connection.call("trainer", "CancelJob", request, idempotent=True))

    def watch(
        self, job_id: str, *, min_interval_s: float = 1.0, timeout_s: float | None = None
    ) -> Iterator[TrainingJob]:
        """The job now and whenever it has changed, until it has ended. timeout_s None: no deadline."""
        interval = duration_pb2.Duration()
        interval.FromNanoseconds(round(min_interval_s * 1e9))
        request = trainer_pb2.WatchJobRequest(job_id=job_id, min_interval=interval)
        for job in self._connection.stream("trainer", "WatchJob", request, timeout_s=timeout_s):
            yield _job(job)

    def save_checkpoint(
        self,
        job_id: str,
        *,
        name: str = "",
        note: str = "",
        load: bool = False,
        set_default: bool = False,
        timeout_s: float = TRAIN_TIMEOUT_S,
    ) -> TrainedCheckpoint:
        """The job's averaged weights as they are now."""
        request = trainer_pb2.SaveCheckpointRequest(
            job_id=job_id, name=name, note=note, load=load, set_default=set_default
        )
        return _checkpoint(
            self._connection.call("trainer", "SaveCheckpoint", request, idempotent=False, timeout_s=timeout_s)
        )

    def checkpoints(self) -> list[TrainedCheckpoint]:
        """Made by jobs of this server; oldest first."""
        request = trainer_pb2.ListCheckpointsRequest()
        reply = self._connection.call("trainer", "ListCheckpoints", request, idempotent=True)
        return [_checkpoint(one) for one in reply.checkpoints]

    def delete_checkpoint(self, checkpoint: str) -> None:
        request = trainer_pb2.DeleteCheckpointRequest(checkpoint=checkpoint)
        self._connection.call("trainer", "DeleteCheckpoint", request, idempotent=False)


def _episode(episode: Episode, name: str) -> trainer_pb2.TrainingEpisode:
    tensors = episode.tensors()
    tensors.pop("state", None)
    if not name:
        digest = hashlib.sha256()
        for key in sorted(tensors):
            digest.update(key.encode() + str(tensors[key].shape).encode() + tensors[key].tobytes())
        name = digest.hexdigest()[:32]
    message = trainer_pb2.TrainingEpisode(episode_id=name, metadata=episode.metadata)
    for key, value in tensors.items():
        dtype = bool if key in ("terminated", "success") else None
        getattr(message, key).CopyFrom(to_tensor(value, dtype))
    return message


def _dataset(reply: trainer_pb2.Dataset) -> DatasetInfo:
    return DatasetInfo(
        dataset=reply.dataset,
        episodes=reply.episodes,
        frames=reply.frames,
        bytes=reply.bytes,
        appended_frames=reply.appended_frames,
        dropped_episodes=reply.dropped_episodes,
    )


def _checkpoint(reply: trainer_pb2.TrainedCheckpoint) -> TrainedCheckpoint:
    return TrainedCheckpoint(
        checkpoint=reply.checkpoint,
        digest=reply.digest,
        bytes=reply.bytes,
        created_s=reply.created_at.ToNanoseconds() * 1e-9,
        job_id=reply.job_id,
        dynamics_updates=reply.dynamics_updates,
        appended_frames=reply.appended_frames,
        loaded=reply.loaded,
    )


def _job(reply: trainer_pb2.TrainingJob) -> TrainingJob:
    return TrainingJob(
        job_id=reply.job_id,
        state=trainer_pb2.TrainingJob.State.Name(reply.state).removeprefix("STATE_").lower(),
        dataset=reply.request.dataset,
        parts={
            PARTS[part.part - 1]: PartProgress(part.updates, part.target_updates, dict(part.terms))
            for part in reply.parts
        },
        replay_frames=reply.replay_frames,
        appended_frames=reply.appended_frames,
        published=tuple(_checkpoint(one) for one in reply.published),
        device_time_s=reply.device_time.ToNanoseconds() * 1e-9,
        resumed=reply.resumed,
        error=reply.error,
    )
