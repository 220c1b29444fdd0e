"""Parts of replies in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from google.protobuf import duration_pb2
from gwm._generated import simulator_pb2, timing_pb2
from gwm.types import Array, FinalRows, Timing
from gwm.wire import from_tensor, from_tensor_map


def optional_tensor(reply: Any, name: str) -> Array | None:
    """A tensor that a server may leave out."""
    return from_tensor(getattr(reply, name)) if reply.HasField(name) else None


def failed_rows(statuses: Sequence[simulator_pb2.RowStatus], rows: int) -> Array:
    failed = np.zeros(rows, np.bool_)
    for row, status in enumerate(statuses):
        failed[row] = status.code != 0
    return failed


def final_rows(final: simulator_pb2.FinalRows) -> FinalRows:
    return FinalRows(
        rows=np.array(final.rows, np.uint32),
        observations=from_tensor_map(final.observations),
        step_index=np.array(final.step_index, np.uint64),
    )


def timing_of(timing: timing_pb2.StepTiming) -> Timing:
    return Timing(
        queue_s=_seconds(timing.queue),
        device_s=_seconds(timing.gpu),
        batch_size=timing.batch_size,
        sampler_calls=timing.sampler_calls,
        encode_s=_seconds(timing.encode),
        dynamics_s=_seconds(timing.dynamics),
        reward_s=_seconds(timing.reward),
        render_s=_seconds(timing.render),
        pack_s=_seconds(timing.pack),
        total_s=_seconds(timing.total),
    )


def _seconds(duration: duration_pb2.Duration) -> float:
    return duration.seconds + duration.nanos * 1e-9
