"""The rows of one Step: what each environment's episode made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
from gwm._generated import simulator_pb2, tensor_pb2
from gwm.serving.backend import Outcome
from gwm.serving.sessions import Environment
from gwm.wire import to_tensor

Array = npt.NDArray[Any]

RUNNING = simulator_pb2.EnvStatus.PHASE_RUNNING
DONE = simulator_pb2.EnvStatus.PHASE_DONE
FAILED = simulator_pb2.EnvStatus.PHASE_FAILED
_DATA_LOSS = grpc.StatusCode.DATA_LOSS.value[0]


@dataclass
class StepRow:
    """As a row is that waits for its reset: no reward, no end."""

    env: Environment
    reward: float = 0.0
    terminated: bool = False
    truncation: simulator_pb2.TruncationReason = simulator_pb2.TRUNCATION_REASON_UNSPECIFIED
    success: bool = False
    observations: dict[str, Array] = field(default_factory=dict)
    status: simulator_pb2.RowStatus = field(default_factory=simulator_pb2.RowStatus)
    # Of the episode's end when the next one began in the same step.
    final_observations: dict[str, Array] | None = None
    final_step: int = 0
    began: bool = False  # an episode, in this step

    def take(self, outcome: Outcome, max_episode_steps: int) -> None:
        """Moves the environment on by what its worker did."""
        env = self.env
        self.observations = outcome.observations
        if not np.isfinite(outcome.reward):
            env.phase = FAILED
            message = f"the reward of environment {env.env_id} is not finite; it needs a reset"
            self.status = simulator_pb2.RowStatus(code=_DATA_LOSS, reason="NON_FINITE", message=message)
            self.observations = {name: np.zeros_like(value) for name, value in outcome.observations.items()}
            return
        env.step_index += 1
        self.reward, self.success, self.terminated = outcome.reward, outcome.success, outcome.terminated
        if 0 < max_episode_steps <= env.step_index:
            self.truncation = simulator_pb2.TRUNCATION_REASON_MAX_EPISODE_STEPS
        elif outcome.truncated:
            self.truncation = simulator_pb2.TRUNCATION_REASON_ENVIRONMENT
        env.phase = DONE if self.terminated or self.truncated else RUNNING

    @property
    def truncated(self) -> bool:
        return self.truncation != simulator_pb2.TRUNCATION_REASON_UNSPECIFIED

    def begin(self, observations: dict[str, Array], *, keep_final: bool) -> None:
        """The next episode began; its first observations take the place of the last ones."""
        if keep_final:
            self.final_observations = self.observations
        self.observations = observations
        self.began = True


def to_reply(rows: Sequence[StepRow], names: Sequence[str]) -> simulator_pb2.StepReply:
    """Everything but the timing."""
    success = np.array([row.success for row in rows])
    reply = simulator_pb2.StepReply(
        reward=to_tensor([row.reward for row in rows], np.float32),
        terminated=to_tensor([row.terminated for row in rows], np.bool_),
        truncated=to_tensor([row.truncated for row in rows], np.bool_),
        success=to_tensor(success, np.bool_),
        success_probability=to_tensor(success, np.float32),
        observations=stack([row.observations for row in rows], names),
        step_index=[row.env.step_index for row in rows],
        row_status=[row.status for row in rows],
        reset=to_tensor([row.began for row in rows], np.bool_),
        episode=[max(row.env.episodes - 1, 0) for row in rows],
        truncation_reason=[row.truncation for row in rows],
    )
    ended = [(index, row) for index, row in enumerate(rows) if row.final_observations is not None]
    if ended:
        last = [row.final_observations or {} for _, row in ended]
        reply.final.CopyFrom(
            simulator_pb2.FinalRows(
                rows=[index for index, _ in ended],
                observations=stack(last, names),
                step_index=[row.final_step for _, row in ended],
            )
        )
    return reply


def stack(rows: Sequence[dict[str, Array]], names: Sequence[str]) -> dict[str, tensor_pb2.Tensor]:
    return {name: to_tensor(np.stack([row[name] for row in rows])) for name in names}
