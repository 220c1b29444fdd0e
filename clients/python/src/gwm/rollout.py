"""Plays whole episodes at an address, one session per thread, and hands them out as they end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from gwm.client import Client
from gwm.policies import Policy
from gwm.session import Session
from gwm.types import Spec, StepResult

Array = npt.NDArray[Any]

DEFAULT_STEPS = 100

PolicyFactory = Callable[[int], Policy]


@dataclass
class Trajectory:
    """One episode: T rows, row 0 is the reset (its action and reward are zero)."""

    seed: int
    observations: dict[str, list[Array]] = field(default_factory=dict)
    actions: list[Array] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    terminated: list[bool] = field(default_factory=list)
    success: list[bool] = field(default_factory=list)
    intrinsics: Array | None = None  # f32 [V, 3, 3]
    world_from_cam: Array | None = None  # f32 [V, 4, 4]

    @property
    def total_reward(self) -> float:
        return float(np.sum(self.rewards))

    @property
    def succeeded(self) -> bool:
        """At any step, as Meta-World counts it."""
        return any(self.success)

    @property
    def steps(self) -> int:
        return len(self.rewards) - 1


@dataclass(frozen=True)
class RolloutPlan:
    """What is to be played. record: the observations to keep; with none, only rewards are fetched."""

    seeds: Sequence[int]
    steps: int
    action_size: int
    make_policy: PolicyFactory
    record: Sequence[str] = ()
    parallel: int = 1


def default_steps(spec: Spec) -> int:
    return spec.horizon or DEFAULT_STEPS


def rollouts(
    client: Client, plan: RolloutPlan, on_step: Callable[[int], None] = lambda _: None
) -> Iterator[Trajectory]:
    """Yields the episodes of `plan.seeds`, in order of their ends. on_step(n) is told of every n steps made.

    Raises ValueError when the policy or the recording needs an observation that the server does not offer,
    and a GwmError when a call fails.
    """
    check_observations(client.spec(), plan)
    stop = threading.Event()
    local = threading.local()
    sessions: list[Session] = []
    lock = threading.Lock()

    def play(seed: int) -> Trajectory | None:
        if stop.is_set():
            return None
        if not hasattr(local, "session"):
            local.session = client.create_session(1, max_episode_steps=plan.steps)
            with lock:
                sessions.append(local.session)
        return _play(local.session, plan, seed, on_step, stop)

    with ThreadPoolExecutor(max(plan.parallel, 1)) as pool:
        futures = [pool.submit(play, seed) for seed in plan.seeds]
        try:
            for future in as_completed(futures):
                trajectory = future.result()
                if trajectory is not None:
                    yield trajectory
        finally:
            stop.set()
            for future in futures:
                future.cancel()
            pool.shutdown(wait=True)
            for session in sessions:
                session.close()


def check_observations(spec: Spec, plan: RolloutPlan) -> None:
    policy = plan.make_policy(plan.seeds[0]) if plan.seeds else None
    for name, wanted_by in [
        *((n, "the policy") for n in (policy.needs if policy else ())),
        *((n, "an episode file") for n in plan.record),
    ]:
        if name not in spec.observations:
            offered = ", ".join(spec.observations) or "none"
            raise ValueError(f"{wanted_by} needs the observation {name!r}; {spec.model_id} offers: {offered}")


def _play(
    session: Session, plan: RolloutPlan, seed: int, on_step: Callable[[int], None], stop: threading.Event
) -> Trajectory | None:
    policy = plan.make_policy(seed)
    names = list(dict.fromkeys([*plan.record, *policy.needs]))
    start = session.reset(seed=seed, observations=names or None)
    trajectory = Trajectory(seed)
    if start.intrinsics is not None and start.world_from_cam is not None:
        trajectory.intrinsics, trajectory.world_from_cam = start.intrinsics[0], start.world_from_cam[0]
    idle = np.zeros(plan.action_size, np.float32)
    latest = _append(trajectory, plan.record, start.observations, idle, None)
    for _ in range(plan.steps):
        if stop.is_set():
            return None
        action = np.asarray(policy.act(latest), np.float32)
        result = session.step(action, observations=names or None)
        if result.failed[0]:
            # Its observations are zeros: the episode ends with the row before.
            break
        latest = _append(trajectory, plan.record, result.observations, action, result)
        on_step(1)
        if result.terminated[0] or result.truncated[0]:
            break
    return trajectory


def _append(
    trajectory: Trajectory,
    record: Sequence[str],
    observations: Mapping[str, Array],
    action: Array,
    result: StepResult | None,
) -> dict[str, Array]:
    """Adds a row; returns the observations of the only environment, without the row axis."""
    row = {name: value[0] for name, value in observations.items()}
    for name in record:
        trajectory.observations.setdefault(name, []).append(row[name])
    trajectory.actions.append(action)
    trajectory.rewards.append(float(result.reward[0]) if result is not None else 0.0)
    trajectory.terminated.append(bool(result.terminated[0]) if result is not None else False)
    trajectory.success.append(bool(result.success[0]) if result is not None else False)
    return row
