"""Parts of replies in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gwm._generated import simulator_pb2
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


def timing_of(timing: simulator_pb2.StepTiming) -> Timing:
    return Timing(
        queue_s=timing.queue.seconds + timing.queue.nanos * 1e-9,
        device_s=timing.gpu.seconds + timing.gpu.nanos * 1e-9,
        batch_size=timing.batch_size,
        sampler_calls=timing.sampler_calls,
    )
