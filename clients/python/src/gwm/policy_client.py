"""A client of a policy server: `gwm.Policy("localhost:50061").act({"state": state[None, None]})`.

Axes: n rows (environments), T history steps (oldest first), H steps of an action chunk, A action entries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gwm._generated import perception_pb2, policy_pb2, session_pb2, spec_pb2
from gwm.channel import DEFAULT_TIMEOUT_S, Connection
from gwm.closing import Closing
from gwm.options import PRIORITIES, choose
from gwm.replies import failed_rows, timing_of
from gwm.retry import RetryPolicy
from gwm.types import Array, FieldSpec, RgbdFrames, Timing
from gwm.wire import TensorError, from_tensor, numpy_dtype, to_tensor

_SELECTIONS = {
    None: policy_pb2.ACTION_SELECTION_UNSPECIFIED,
    "sample": policy_pb2.ACTION_SELECTION_SAMPLE,
    "best": policy_pb2.ACTION_SELECTION_BEST,
}


@dataclass(frozen=True)
class FeatureSource:
    """The world model that a policy looks through."""

    model_id: str
    checkpoint_digest: str  # required of whoever makes the features
    pooling: str  # "tokens", "mean" or "attention", as Client.features takes it


@dataclass(frozen=True)
class PolicySpec:
    """What a policy takes and gives; `raw` is the whole PolicySpec message."""

    policy_id: str
    policy_digest: str
    kind: str
    observations: dict[str, FieldSpec]  # what act needs, without the axes n and T
    takes_frames: bool  # in place of "features"
    features: FeatureSource | None  # None: it looks at nothing that a model made
    history: int  # the largest T
    horizon: int  # H
    execute_steps: int  # of a chunk, before the next act
    action_low: Array  # f32 [A]
    action_high: Array  # f32 [A]
    noise: FieldSpec | None  # None: act takes no noise
    batch_invariant: bool  # equal rows get equal bits whoever shares the call
    max_rows: int  # of one act; 0: not told
    raw: Any


@dataclass(frozen=True)
class ActRow:
    """Where a row stands: with the seed, all that its random numbers depend on."""

    env_id: int
    episode: int = 0
    step_index: int = 0


@dataclass(frozen=True)
class ActResult:
    actions: Array  # f32 [n, H, A]
    failed: Array  # bool [n]: the row's actions were not finite and are of no use
    policy_id: str
    policy_digest: str
    timing: Timing  # encode_s: frames to features; dynamics_s: the policy's network


class Policy(Closing):
    """A policy server at an address ("HOST:PORT" or "unix:PATH"). Thread-safe; connects on the first call.

    Calls are repeated as `retry` says: a policy keeps no state, so a repetition does no harm.
    policy_id, policy_digest: which policy; both empty for the default one.
    """

    def __init__(
        self,
        address: str,
        *,
        policy_id: str = "",
        policy_digest: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retry: RetryPolicy | None = None,
        priority: str = "normal",
    ) -> None:
        self._connection = Connection(
            address, timeout_s, retry or RetryPolicy(), choose(PRIORITIES, "priority", priority)
        )
        self._policy_id = policy_id
        self._policy_digest = policy_digest

    def spec(self) -> PolicySpec:
        """What the policy takes and gives."""
        request = policy_pb2.GetPolicyRequest(policy_id=self._policy_id, policy_digest=self._policy_digest)
        return _spec_from_proto(self._connection.call("policy", "GetPolicy", request, idempotent=True))

    def act(
        self,
        observations: Mapping[str, Any],
        *,
        history_steps: Sequence[int] = (),
        frames: RgbdFrames | None = None,
        feature_model_digest: str = "",
        seed: int | None = None,
        rows: Sequence[ActRow] = (),
        noise: Any = None,
        selection: str | None = None,
    ) -> ActResult:
        """What n environments should do next.

        observations: by name, each [n, T, ...]. history_steps: per row, how many of the T steps (the newest)
        belong to its episode; empty for all. frames: in place of "features", if spec().takes_frames.
        feature_model_digest: of the model that made the features (FeatureTokens.checkpoint_digest).
        seed, rows: what the random numbers depend on. noise: f32 [n, ...] of spec().noise instead.
        selection: "sample", "best", or None for the policy's default. Raises a GwmError.
        """
        request = policy_pb2.ActRequest(
            policy_id=self._policy_id,
            policy_digest=self._policy_digest,
            observations={name: to_tensor(value) for name, value in observations.items()},
            history_steps=history_steps,
            frames=None if frames is None else frames.to_proto(),
            feature_model_digest=feature_model_digest,
            seed=seed,
            rows=[
                policy_pb2.ActRow(env_id=row.env_id, episode=row.episode, step_index=row.step_index)
                for row in rows
            ],
            noise=None if noise is None else to_tensor(noise, np.float32),
            selection=choose(_SELECTIONS, "selection", selection),
            context=session_pb2.RequestContext(
                priority=self._connection.priority,  # type: ignore[arg-type]
            ),
        )
        reply = self._connection.call("policy", "Act", request, idempotent=True)
        actions = from_tensor(reply.actions)
        if actions.ndim != 3:
            raise TensorError(f"the server sent actions of shape {list(actions.shape)}, not [n, H, A]")
        return ActResult(
            actions=actions,
            failed=failed_rows(reply.row_status, len(actions)),
            policy_id=reply.policy_id,
            policy_digest=reply.policy_digest,
            timing=timing_of(reply.timing),
        )

    def close(self) -> None:
        self._connection.close()


def _field(field: spec_pb2.FieldSpec) -> FieldSpec:
    return FieldSpec(field.name, numpy_dtype(field.dtype), tuple(field.shape), field.min, field.max)


def _spec_from_proto(reply: policy_pb2.GetPolicyReply) -> PolicySpec:
    policy = reply.policy
    pooling = perception_pb2.FeaturePooling.Name(policy.features.pooling)
    source = FeatureSource(
        policy.features.model_id,
        policy.features.checkpoint_digest,
        pooling.removeprefix("FEATURE_POOLING_").lower(),
    )
    return PolicySpec(
        policy_id=policy.policy_id,
        policy_digest=policy.policy_digest,
        kind=policy.kind,
        observations={field.name: _field(field) for field in policy.observations},
        takes_frames=policy.takes_frames,
        features=source if policy.HasField("features") else None,
        history=policy.history,
        horizon=policy.horizon,
        execute_steps=policy.execute_steps,
        action_low=from_tensor(policy.action_low),
        action_high=from_tensor(policy.action_high),
        noise=_field(policy.noise) if policy.HasField("noise") else None,
        batch_invariant=policy.determinism == spec_pb2.DETERMINISM_BATCH_INVARIANT,
        max_rows=reply.max_rows,
        raw=policy,
    )
