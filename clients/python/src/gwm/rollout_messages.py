"""Replies of Imagine, Plan and Observe in numpy."""

from __future__ import annotations

import numpy as np
from gwm._generated import simulator_pb2
from gwm.replies import failed_rows, optional_tensor, timing_of
from gwm.types import ImagineChunk, ObserveResult, Plan, StateRef
from gwm.wire import from_tensor, from_tensor_map


def imagine_chunk(chunk: simulator_pb2.ImagineChunk) -> ImagineChunk:
    done = from_tensor(chunk.done)
    return ImagineChunk(
        t=chunk.t,
        reward=from_tensor(chunk.reward),
        terminated=from_tensor(chunk.terminated),
        success=from_tensor(chunk.success),
        done=done,
        failed=failed_rows(chunk.row_status, len(done)),
        observations=from_tensor_map(chunk.observations),
        expected_error=optional_tensor(chunk, "expected_error"),
        final_states=tuple(StateRef.from_proto(state) for state in chunk.final_states),
        timing=timing_of(chunk.timing),
    )


def plan_result(reply: simulator_pb2.PlanReply) -> Plan:
    returns = from_tensor(reply.returns)
    return Plan(
        returns=returns,
        best=reply.best,
        best_actions=from_tensor(reply.best_actions),
        terminated=from_tensor(reply.terminated),
        success=from_tensor(reply.success),
        failed=failed_rows(reply.row_status, len(returns)),
        expected_error=optional_tensor(reply, "expected_error"),
        timing=timing_of(reply.timing),
    )


def observe_result(reply: simulator_pb2.ObserveReply) -> ObserveResult:
    return ObserveResult(
        latent_error=from_tensor(reply.latent_error),
        psnr_db=from_tensor(reply.psnr_db),
        episode=np.array(reply.episode, np.uint64),
        step_index=np.array(reply.step_index, np.uint64),
        observations=from_tensor_map(reply.observations),
        replayed=reply.replayed,
        timing=timing_of(reply.timing),
    )
