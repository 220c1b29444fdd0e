"""Replies of Step and Reset in numpy."""

from __future__ import annotations

import numpy as np
from gwm._generated import simulator_pb2
from gwm.replies import failed_rows, final_rows, optional_tensor, timing_of
from gwm.types import ResetResult, StepResult
from gwm.wire import from_tensor, from_tensor_map


def step_result(reply: simulator_pb2.StepReply) -> StepResult:
    return StepResult(
        observations=from_tensor_map(reply.observations),
        reward=from_tensor(reply.reward),
        terminated=from_tensor(reply.terminated),
        truncated=from_tensor(reply.truncated),
        success=from_tensor(reply.success),
        success_probability=from_tensor(reply.success_probability),
        step_index=np.array(reply.step_index, np.uint64),
        failed=failed_rows(reply.row_status, len(reply.step_index)),
        timing=timing_of(reply.timing),
        replayed=reply.replayed,
        expected_error=optional_tensor(reply, "expected_error"),
        truncation_reason=np.array(reply.truncation_reason, np.int32),
        reset=optional_tensor(reply, "reset"),
        episode=np.array(reply.episode, np.uint64),
        pool_indices=np.array(reply.pool_indices, np.uint32),
        final=final_rows(reply.final) if reply.HasField("final") else None,
    )


def reset_result(reply: simulator_pb2.ResetReply) -> ResetResult:
    return ResetResult(
        observations=from_tensor_map(reply.observations),
        episode=np.array(reply.episode, np.uint64),
        pool_indices=np.array(reply.pool_indices, np.uint32),
        intrinsics=optional_tensor(reply, "intrinsics"),
        world_from_cam=optional_tensor(reply, "world_from_cam"),
        timing=timing_of(reply.timing),
        replayed=reply.replayed,
        # A server without states to start from does not tell.
        step_index=np.array(reply.step_index or [0] * len(reply.episode), np.uint64),
    )
