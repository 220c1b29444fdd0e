"""Sessions of real environments: leases, phases, and the workers that run them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from gwm._generated import simulator_pb2
from gwm.serving.backend import BackendSpec
from gwm.serving.replay import ReplayLog
from gwm.serving.status import Refusal
from gwm.serving.tombstones import Tombstones
from gwm.serving.worker import Worker, WorkerError, WorkerFactory

_INSTANCE_CHARACTERS = 16
_STARTS_AT_A_TIME = 4
CONFLICT_WAIT_S = 0.05


@dataclass
class Environment:
    """One row of a session."""

    env_id: int
    worker: Worker
    seed: int
    phase: simulator_pb2.EnvStatus.Phase = simulator_pb2.EnvStatus.PHASE_NEEDS_RESET
    # Episodes started since the seed was set; the current one is number episodes - 1.
    episodes: int = 0
    step_index: int = 0

    def episode_seed(self) -> int:
        """The simulator's seed for the next episode: the environment's own seed for the first episode of row
        0, so that published episodes can be played again, and an independent one for every other row and
        episode.
        """
        if self.env_id == 0 and self.episodes == 0:
            return self.seed
        key = np.random.SeedSequence([self.seed, self.env_id, self.episodes])
        return int(key.generate_state(1, np.uint32)[0] >> 1)


@dataclass
class LiveSession:
    """Guarded by `lock`, which is held by the one call that changes the session."""

    session_id: str
    seed: int
    observations: list[str]
    idle_ttl_s: float
    expires_s: float  # absolute end of life, on the table's clock
    created_s: float
    max_episode_steps: int
    client_id: str
    auto_reset: simulator_pb2.AutoReset
    environments: list[Environment]
    replies: ReplayLog
    lease_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def num_envs(self) -> int:
        return len(self.environments)


@dataclass(frozen=True)
class TableLimits:
    max_sessions: int
    max_envs: int
    max_replay_bytes: int
    max_tombstones: int
    tombstone_ttl_s: float


class SessionTable:
    """All sessions of a server. Thread-safe."""

    def __init__(self, factory: WorkerFactory, limits: TableLimits, clock_s: Callable[[], float]) -> None:
        self._factory = factory
        self._limits = limits
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._sessions: dict[str, LiveSession] = {}
        self._tombstones = Tombstones(limits.max_tombstones, limits.tombstone_ttl_s, clock_s)
        self._idle_workers: list[Worker] = []
        self._reserved_envs = 0
        self.instance_id = secrets.token_hex(_INSTANCE_CHARACTERS // 2)

    def prepare(self) -> BackendSpec:
        """Starts the first worker, for a session to come. Raises WorkerError when it cannot be made."""
        worker = self._factory()
        with self._lock:
            self._idle_workers.append(worker)
        return worker.spec

    def now_s(self) -> float:
        """The table's own clock."""
        return self._clock_s()

    def seconds_left(self, session: LiveSession) -> float:
        """Until the lease runs out."""
        return max(session.lease_s - self._clock_s(), 0.0)

    def create(
        self,
        num_envs: int,
        seed: int,
        observations: list[str],
        idle_ttl_s: float,
        max_lifetime_s: float,
        max_episode_steps: int,
        client_id: str,
        auto_reset: simulator_pb2.AutoReset,
    ) -> LiveSession:
        """Raises Refusal QUOTA when there is no room."""
        self.expire()
        self._reserve(num_envs)
        workers: list[Worker] = []
        try:
            # Side by side: each may have to start a process and load a scene.
            with ThreadPoolExecutor(min(num_envs, _STARTS_AT_A_TIME)) as starters:
                started = [starters.submit(self._take_worker) for _ in range(num_envs)]
            workers.extend(future.result() for future in started if future.exception() is None)
            for future in started:
                future.result()
        except BaseException:
            self._release(num_envs, workers)
            raise
        now_s = self._clock_s()
        session = LiveSession(
            session_id=f"{self.instance_id}-{secrets.token_hex(16)}",
            seed=seed,
            observations=observations,
            idle_ttl_s=idle_ttl_s,
            expires_s=now_s + max_lifetime_s,
            created_s=now_s,
            max_episode_steps=max_episode_steps,
            client_id=client_id,
            auto_reset=auto_reset,
            environments=[Environment(env_id, worker, seed) for env_id, worker in enumerate(workers)],
            replies=ReplayLog(self._limits.max_replay_bytes),
            lease_s=now_s + min(idle_ttl_s, max_lifetime_s),
        )
        with self._lock:
            self._sessions[session.session_id] = session
        return session

    def get(self, session_id: str) -> LiveSession:
        """The session, its lease renewed. Raises Refusal when it is not there, telling why."""
        self.expire()
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:
                raise self._missing(session_id)
            session.lease_s = min(self._clock_s() + session.idle_ttl_s, session.expires_s)
            return session

    @contextmanager
    def change(self, session_id: str) -> Iterator[LiveSession]:
        """The session for one call that changes it. Raises Refusal STEP_CONFLICT while another one does."""
        session = self.get(session_id)
        if not session.lock.acquire(blocking=False):
            raise Refusal(
                "STEP_CONFLICT",
                "another call is changing this session; send the next one after its reply",
                retry_after_s=CONFLICT_WAIT_S,
            )
        try:
            yield session
        finally:
            session.lock.release()

    def of_client(self, client_id: str, after: str, count: int) -> list[LiveSession]:
        """Up to `count` sessions of this client with ids greater than `after`, in the order of ids."""
        self.expire()
        with self._lock:
            sessions = sorted(self._sessions.values(), key=lambda session: session.session_id)
        mine = [session for session in sessions if session.client_id == client_id]
        return [session for session in mine if session.session_id > after][:count]

    def is_open(self, session: LiveSession) -> bool:
        with self._lock:
            return session.session_id in self._sessions

    def close(self, session_id: str) -> None:
        """Closing a closed session is fine; an unknown one is refused."""
        with self._lock:
            session = self._sessions.pop(session_id, None)
            if session is None:
                if self._tombstones.find(session_id) == "CLOSED":
                    return
                raise self._missing(session_id)
            self._tombstones.put(session_id, "CLOSED")
        self._retire(session)

    def expire(self) -> None:
        """Ends the sessions whose lease ran out."""
        now_s = self._clock_s()
        with self._lock:
            dead = [session for session in self._sessions.values() if session.lease_s <= now_s]
            # A call in progress keeps its session alive.
            dead = [session for session in dead if not session.lock.locked()]
            for session in dead:
                del self._sessions[session.session_id]
                self._tombstones.put(session.session_id, "EXPIRED")
        for session in dead:
            self._retire(session)

    def counts(self) -> tuple[int, int]:
        """Open sessions and their environments."""
        with self._lock:
            sessions = list(self._sessions.values())
        return len(sessions), sum(len(session.environments) for session in sessions)

    def replace_worker(self, environment: Environment) -> None:
        """A fresh worker for an environment whose own failed."""
        environment.worker.close()
        environment.worker = self._new_worker()

    def shut_down(self) -> None:
        with self._lock:
            sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            self._retire(session)
        with self._lock:
            workers, self._idle_workers = self._idle_workers, []
        for worker in workers:
            worker.close()

    def _missing(self, session_id: str) -> Refusal:
        fate = self._tombstones.find(session_id)
        if fate == "CLOSED":
            return Refusal("CLOSED", f"session {session_id[:40]!r} was closed", "session_id")
        if fate == "EXPIRED":
            return Refusal("EXPIRED", f"the lease of session {session_id[:40]!r} ran out", "session_id")
        instance, separator, _ = session_id.partition("-")
        if separator and len(instance) == _INSTANCE_CHARACTERS and instance != self.instance_id:
            message = "the session belonged to an earlier process of this server; create a new one"
            return Refusal("SERVER_RESTARTED", message, "session_id")
        return Refusal("UNKNOWN", f"there is no session {session_id[:40]!r}", "session_id")

    def _reserve(self, num_envs: int) -> None:
        with self._lock:
            if len(self._sessions) >= self._limits.max_sessions:
                raise Refusal(
                    "QUOTA", f"{len(self._sessions)} sessions are open, which is the most; close one"
                )
            if self._reserved_envs + num_envs > self._limits.max_envs:
                raise Refusal(
                    "QUOTA",
                    f"{self._reserved_envs} of {self._limits.max_envs} environments are in use; "
                    f"there is no room for {num_envs} more",
                )
            self._reserved_envs += num_envs

    def _release(self, num_envs: int, workers: list[Worker]) -> None:
        with self._lock:
            self._reserved_envs -= num_envs
            self._idle_workers.extend(workers)

    def _retire(self, session: LiveSession) -> None:
        """Gives the environments back; waits for a call that is still running."""
        with session.lock:
            healthy = []
            for environment in session.environments:
                if environment.phase == simulator_pb2.EnvStatus.PHASE_FAILED:
                    environment.worker.close()
                else:
                    healthy.append(environment.worker)
            self._release(len(session.environments), healthy)

    def _take_worker(self) -> Worker:
        with self._lock:
            if self._idle_workers:
                return self._idle_workers.pop()
        return self._new_worker()

    def _new_worker(self) -> Worker:
        try:
            return self._factory()
        except WorkerError as error:
            raise Refusal("BUG", f"the environment could not be started: {error}") from error
