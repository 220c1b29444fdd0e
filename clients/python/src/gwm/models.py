"""The models of a server: `client.models.load("gwm-small-2", set_default=True)`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from google.protobuf import duration_pb2, timestamp_pb2
from gwm._generated import models_pb2
from gwm.channel import Connection

# Reading a large checkpoint and its first step take a while.
LOAD_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class ModelInfo:
    """One version of a model, named by the digest of its checkpoint."""

    model_id: str
    checkpoint_digest: str
    checkpoint: str
    """Folder, relative to the server's root of checkpoints."""
    state: str
    """"loading", "ready", "draining", "failed" or "unloaded"."""
    is_default: bool
    sessions: int
    state_bytes: int
    state_pool_bytes: int
    checkpoint_bytes: int
    load_time_s: float
    changed_s: float
    """Unix time at which it reached its state."""
    unload_s: float | None
    """Unix time at which the sessions of a draining one are ended; None: when they end by themselves."""
    error: str
    device: str

    @classmethod
    def from_proto(cls, reply: models_pb2.Model) -> ModelInfo:
        return cls(
            model_id=reply.model_id,
            checkpoint_digest=reply.checkpoint_digest,
            checkpoint=reply.checkpoint,
            state=models_pb2.Model.State.Name(reply.state).removeprefix("STATE_").lower(),
            is_default=reply.is_default,
            sessions=reply.sessions,
            state_bytes=reply.state_bytes,
            state_pool_bytes=reply.state_pool_bytes,
            checkpoint_bytes=reply.checkpoint_bytes,
            load_time_s=reply.load_time.ToNanoseconds() * 1e-9,
            changed_s=_unix_s(reply.changed_at),
            unload_s=_unix_s(reply.unload_at) if reply.HasField("unload_at") else None,
            error=reply.error,
            device=reply.device,
        )


@dataclass(frozen=True)
class WarmUpTimes:
    """Seconds on the device."""

    reset_s: float
    step_s: float
    render_s: float


class Models:
    """Several versions side by side; sessions stay on theirs. Thread-safe.

    A hot swap: load() the new version, set_default() to it, unload() the old one with drain=True. Calls that
    name no digest mean the default version, or by model_id alone that one or the one loaded last.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[ModelInfo]:
        """What is served, being loaded, on its way out, or failed to load."""
        request = models_pb2.ListModelsRequest()
        reply = self._connection.call("models", "ListModels", request, idempotent=True)
        return [ModelInfo.from_proto(model) for model in reply.models]

    def get(self, model_id: str = "", checkpoint_digest: str = "") -> ModelInfo:
        request = models_pb2.GetModelRequest(model_id=model_id, checkpoint_digest=checkpoint_digest)
        return ModelInfo.from_proto(self._connection.call("models", "GetModel", request, idempotent=True))

    def load(
        self,
        checkpoint: str,
        *,
        expected_digest: str = "",
        set_default: bool = False,
        timeout_s: float = LOAD_TIMEOUT_S,
    ) -> ModelInfo:
        """Opens a folder below the server's checkpoint root beside what is served; returns once it is usable.

        A version that is there already is returned as it is, so a repetition does no harm.
        """
        request = models_pb2.LoadModelRequest(
            checkpoint=checkpoint, expected_digest=expected_digest, set_default=set_default
        )
        reply = self._connection.call("models", "LoadModel", request, idempotent=True, timeout_s=timeout_s)
        return ModelInfo.from_proto(reply)

    def unload(
        self, checkpoint_digest: str, *, drain: bool = False, grace_s: float | None = None
    ) -> ModelInfo:
        """Lets a version go: state "unloaded", or "draining" while sessions are pinned to it (needs `drain`).

        grace_s: after it, sessions that are left are ended; None: they end by themselves.
        """
        grace = None
        if grace_s is not None:
            if not math.isfinite(grace_s):
                raise ValueError(f"grace_s is {grace_s}; a finite number is allowed")
            grace = duration_pb2.Duration()
            grace.FromNanoseconds(round(grace_s * 1e9))
        request = models_pb2.UnloadModelRequest(checkpoint_digest=checkpoint_digest, drain=drain, grace=grace)
        reply = self._connection.call("models", "UnloadModel", request, idempotent=False)
        return ModelInfo.from_proto(reply)

    def set_default(self, checkpoint_digest: str = "", *, model_id: str = "") -> ModelInfo:
        """The version for sessions that name none, from now on."""
        request = models_pb2.SetDefaultModelRequest(model_id=model_id, checkpoint_digest=checkpoint_digest)
        reply = self._connection.call("models", "SetDefaultModel", request, idempotent=True)
        return ModelInfo.from_proto(reply)

    def warm_up(self, checkpoint_digest: str = "", *, model_id: str = "", rows: int = 1) -> WarmUpTimes:
        """A real reset, step and render of `rows` environments."""
        request = models_pb2.WarmUpRequest(model_id=model_id, checkpoint_digest=checkpoint_digest, rows=rows)
        reply = self._connection.call("models", "WarmUp", request, idempotent=True)
        return WarmUpTimes(*(part.ToNanoseconds() * 1e-9 for part in (reply.reset, reply.step, reply.render)))


def _unix_s(time: timestamp_pb2.Timestamp) -> float:
    return float(time.ToNanoseconds() * 1e-9)
