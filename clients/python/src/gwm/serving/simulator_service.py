"""gwm.v1.Simulator over real environments, without Imagine and without the Perception service."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import duration_pb2, timestamp_pb2
from gwm._generated import scene_pb2, server_pb2, simulator_pb2, tensor_pb2, timing_pb2
from gwm.serving import validate
from gwm.serving.backend import BackendSpec, UnsupportedError
from gwm.serving.creations import Creations
from gwm.serving.sessions import Environment, LiveSession, SessionTable
from gwm.serving.spec_message import OUTPUT_NAMES, spec_to_proto
from gwm.serving.status import Refusal
from gwm.serving.step_rows import DONE, FAILED, RUNNING, StepRow, stack, to_reply
from gwm.serving.worker import WorkerError
from gwm.wire import to_tensor

Array = npt.NDArray[Any]

_NEEDS_RESET = simulator_pb2.EnvStatus.PHASE_NEEDS_RESET


class SimulatorService:
    """One method per RPC: request in, reply out, Refusal for what is refused. Thread-safe; the calls of one
    session that change it exclude each other.
    """

    def __init__(
        self, spec: BackendSpec, table: SessionTable, limits: server_pb2.Limits, pool: ThreadPoolExecutor
    ) -> None:
        self._spec = spec
        self._table = table
        self._creations = Creations(table.is_open)
        self._limits = limits
        # Runs the environments of a session side by side.
        self._pool = pool

    # --- spec and sessions ----------------------------------------------------------------------------------

    def GetSpec(self, request: Any) -> simulator_pb2.SimulatorSpec:
        self._check_model(request.model_id, "")
        return spec_to_proto(self._spec)

    def CreateSession(self, request: Any) -> simulator_pb2.Session:
        self._check_model(request.model_id, request.checkpoint_digest)
        num_envs, auto_reset = validate.creation(request, self._limits)
        client_id = validate.name(request.context.client_id, "context.client_id")
        observations = validate.observations(request.observations, self._spec)
        idle_ttl_s, max_lifetime_s = self._idle_ttl_s(request), self._lifetime_s(request)

        def make() -> LiveSession:
            return self._table.create(
                num_envs=num_envs,
                seed=request.seed if request.HasField("seed") else secrets.randbits(32),
                observations=observations,
                idle_ttl_s=idle_ttl_s,
                max_lifetime_s=max_lifetime_s,
                max_episode_steps=request.max_episode_steps,
                client_id=client_id,
                auto_reset=auto_reset,
            )

        session, replayed = self._creations.once(request, make)
        reply = self._session_to_proto(session)
        reply.replayed = replayed
        return reply

    def GetSession(self, request: Any) -> simulator_pb2.Session:
        return self._session_to_proto(self._table.get(request.session_id))

    def RenewSession(self, request: Any) -> simulator_pb2.RenewSessionReply:
        session = self._table.get(request.session_id)
        return simulator_pb2.RenewSessionReply(
            lease_expires_at=self._expires_at(session),
            expires_in=_duration(self._table.seconds_left(session)),
        )

    def ListSessions(self, request: Any) -> simulator_pb2.ListSessionsReply:
        client_id = validate.name(request.context.client_id, "context.client_id")
        if not client_id:
            raise Refusal(
                "BAD_FIELD", "is missing; the sessions of one client are listed", "context.client_id"
            )
        most = self._limits.max_list_page
        if request.page_size > most:
            raise Refusal("LIMIT", f"is {request.page_size}; at most {most} are allowed", "page_size")
        count = request.page_size or most
        found = self._table.of_client(client_id, request.page_token, count)
        return simulator_pb2.ListSessionsReply(
            sessions=[
                simulator_pb2.SessionSummary(
                    session_id=session.session_id,
                    num_envs=session.num_envs,
                    created_at=self._unix_time(session.created_s),
                    lease_expires_at=self._expires_at(session),
                )
                for session in found
            ],
            # A full page may be the last one; then an empty one follows.
            next_page_token=found[-1].session_id if len(found) == count else "",
        )

    def CloseSession(self, request: Any) -> simulator_pb2.CloseSessionReply:
        self._table.close(request.session_id)
        return simulator_pb2.CloseSessionReply()

    # --- episodes -------------------------------------------------------------------------------------------

    def Reset(self, request: Any) -> simulator_pb2.ResetReply:
        if request.WhichOneof("init") is not None:
            name = request.WhichOneof("init")
            raise Refusal("UNSUPPORTED", "a real environment starts from its own initial states only", name)
        if request.pool_indices:
            raise Refusal("BAD_FIELD", "must be empty: there is no pool of frames here", "pool_indices")
        with self._table.change(request.session_id) as session:
            rows = validate.reset_ids(request, session.num_envs)
            names = self._names(request, session)
            stored = session.replies.find(request)
            if stored is not None:
                return stored
            chosen = [session.environments[row] for row in rows]
            seed = request.seed if request.HasField("seed") else None
            start_s = time.monotonic()
            results = self._run(chosen, lambda env, _: self._begin_episode(env, seed, names))
            elapsed_s = time.monotonic() - start_s
            reply = simulator_pb2.ResetReply(
                observations=stack(results, names),
                episode=[env.episodes - 1 for env in chosen],
                timing=_timing(elapsed_s, len(rows)),
            )
            self._add_cameras(reply, len(rows))
            session.replies.keep(request, rows, reply)
        return reply

    def Step(self, request: Any) -> simulator_pb2.StepReply:
        if request.sampler_calls:
            raise Refusal(
                "BAD_FIELD", f"is {request.sampler_calls}; a real environment has no sampler", "sampler_calls"
            )
        if request.sampler_kind:
            raise Refusal(
                "BAD_FIELD", f"is {request.sampler_kind}; a real environment has no sampler", "sampler_kind"
            )
        pose = None
        if request.HasField("camera"):
            pose = validate.camera_pose(request.camera, self._spec, "camera")
        with self._table.change(request.session_id) as session:
            rows = validate.env_ids(request.env_ids, session.num_envs)
            names = self._names(request, session)
            actions = validate.actions(request.actions, len(rows), self._spec.action)
            chosen = [session.environments[row] for row in rows]
            stored = session.replies.find(request)
            if stored is not None:
                return stored
            _require_expected(chosen, request.expected_step)
            start_s = time.monotonic()
            stepped = self._step_rows(session, chosen, actions, names, pose)
            reply = to_reply(stepped, names)
            reply.timing.CopyFrom(_timing(time.monotonic() - start_s, len(rows)))
            session.replies.keep(request, rows, reply)
            return reply

    def Render(self, request: Any) -> simulator_pb2.RenderReply:
        if request.HasField("state"):
            raise Refusal("UNSUPPORTED", "a real environment has no states to look at", "state")
        names = self._output_names(request)
        poses = [
            validate.camera_pose(camera, self._spec, f"cameras[{index}]")
            for index, camera in enumerate(request.cameras)
        ]
        if request.rgb_dtype not in (tensor_pb2.DTYPE_UNSPECIFIED, tensor_pb2.DTYPE_U8, tensor_pb2.DTYPE_F32):
            raise Refusal(
                "BAD_FIELD", f"is {request.rgb_dtype}; allowed are DTYPE_U8 and DTYPE_F32", "rgb_dtype"
            )
        with self._table.change(request.session_id) as session:
            rows = validate.env_ids(request.env_ids, session.num_envs)
            chosen = [session.environments[row] for row in rows]
            for env in chosen:
                if env.phase in (_NEEDS_RESET, FAILED):
                    raise Refusal(
                        "NEEDS_RESET", f"environment {env.env_id} has no state to look at; reset it first"
                    )
            height, width = self._spec.image_size
            pixels = len(rows) * max(len(poses), len(self._spec.views), 1) * height * width
            if pixels > self._limits.max_pixels_per_render:
                allowed = self._limits.max_pixels_per_render
                raise Refusal("LIMIT", f"ask for {pixels} pixels; at most {allowed} are allowed", "cameras")
            images = self._run(chosen, lambda env, _: env.worker.render(names, poses))
        rendered = scene_pb2.RenderedImages()
        for name in names:
            stacked = np.stack([image[name] for image in images])
            if name == "rgb" and request.rgb_dtype == tensor_pb2.DTYPE_F32:
                stacked = stacked.astype(np.float32) / np.float32(255)
            getattr(rendered, name).CopyFrom(to_tensor(stacked))
        return simulator_pb2.RenderReply(images=rendered)

    # --- parts ----------------------------------------------------------------------------------------------

    def _add_cameras(self, reply: simulator_pb2.ResetReply, rows: int) -> None:
        if self._spec.views:
            intrinsics = np.stack([view.intrinsics for view in self._spec.views])
            poses = np.stack([view.world_from_cam for view in self._spec.views])
            reply.intrinsics.CopyFrom(to_tensor(np.repeat(intrinsics[None], rows, 0), np.float32))
            reply.world_from_cam.CopyFrom(to_tensor(np.repeat(poses[None], rows, 0), np.float32))

    def _check_model(self, model_id: str, digest: str) -> None:
        if model_id not in ("", self._spec.model_id):
            raise Refusal("UNKNOWN", f"is {model_id!r}; this server runs {self._spec.model_id!r}", "model_id")
        if digest:
            raise Refusal("UNKNOWN", "a real environment has no checkpoint", "checkpoint_digest")

    def _idle_ttl_s(self, request: Any) -> float:
        if not request.HasField("idle_ttl"):
            return _seconds(self._limits.default_idle_ttl)
        low_s, high_s = _seconds(self._limits.min_idle_ttl), _seconds(self._limits.max_idle_ttl)
        ttl_s = _seconds(request.idle_ttl)
        if not low_s <= ttl_s <= high_s:
            raise Refusal("LIMIT", f"is {ttl_s:g} s; allowed are {low_s:g} to {high_s:g} s", "idle_ttl")
        return ttl_s

    def _lifetime_s(self, request: Any) -> float:
        most_s = _seconds(self._limits.max_lifetime)
        lifetime_s = _seconds(request.max_lifetime) or most_s
        if not 0 < lifetime_s <= most_s:
            raise Refusal("LIMIT", f"is {lifetime_s:g} s; allowed are up to {most_s:g} s", "max_lifetime")
        return lifetime_s

    def _names(self, request: Any, session: LiveSession) -> list[str]:
        return validate.observations(request.observations, self._spec) or session.observations

    def _output_names(self, request: Any) -> list[str]:
        names = []
        for index, output in enumerate(request.outputs or [scene_pb2.RENDER_OUTPUT_RGB]):
            name = OUTPUT_NAMES.get(output)
            if name is None or self._spec.observation(name) is None:
                offered = [n for n in OUTPUT_NAMES.values() if self._spec.observation(n) is not None]
                raise Refusal(
                    "UNSUPPORTED",
                    f"is {output}; this server renders {', '.join(offered) or 'nothing'}",
                    f"outputs[{index}]",
                )
            names.append(name)
        return list(dict.fromkeys(names))

    def _run(self, chosen: Sequence[Environment], function: Callable[[Environment, int], Any]) -> list[Any]:
        """function(environment, row), all side by side; a worker that breaks fails the call and its row."""

        def guarded(row: int) -> Any:
            try:
                return function(chosen[row], row)
            except (WorkerError, UnsupportedError) as error:
                return error

        results = list(self._pool.map(guarded, range(len(chosen))))
        broken = [
            (env, result)
            for env, result in zip(chosen, results, strict=True)
            if isinstance(result, WorkerError)
        ]
        for env, _ in broken:
            env.phase = FAILED
        if broken:
            env, error = broken[0]
            raise Refusal("BUG", f"environment {env.env_id} broke ({error}); it needs a reset")
        unsupported = next((result for result in results if isinstance(result, UnsupportedError)), None)
        if unsupported is not None:
            raise Refusal("UNSUPPORTED", str(unsupported))
        return results

    def _begin_episode(self, env: Environment, seed: int | None, names: Sequence[str]) -> dict[str, Array]:
        if env.phase == FAILED:
            self._table.replace_worker(env)
        if seed is not None:
            env.seed, env.episodes = seed, 0
        observed = env.worker.reset(env.episode_seed(), names)
        env.episodes += 1
        env.step_index = 0
        env.phase = RUNNING
        return observed

    def _step_rows(
        self,
        session: LiveSession,
        chosen: Sequence[Environment],
        actions: Array,
        names: Sequence[str],
        pose: Array | None,
    ) -> list[StepRow]:
        """Steps the environments that run; begins the episodes that the session's auto_reset asks for."""
        rows = [StepRow(env) for env in chosen]
        resets_next = session.auto_reset == simulator_pb2.AUTO_RESET_NEXT_STEP
        waiting = [row for row in rows if resets_next and row.env.phase in (DONE, FAILED)]
        running = [index for index, row in enumerate(rows) if row not in waiting]
        _require_running([chosen[index] for index in running])
        outcomes = self._run(
            [chosen[index] for index in running],
            lambda env, position: env.worker.step(actions[running[position]], names, pose),
        )
        for index, outcome in zip(running, outcomes, strict=True):
            rows[index].take(outcome, session.max_episode_steps)
        if len(rows) == 1 and rows[0].status.code:
            raise Refusal("NON_FINITE", rows[0].status.message)
        resets_now = session.auto_reset == simulator_pb2.AUTO_RESET_SAME_STEP
        fresh = [row for row in rows if resets_now and row.env.phase != RUNNING] or waiting
        for row in fresh:
            row.final_step = row.env.step_index
        first = self._run([row.env for row in fresh], lambda env, _: self._begin_episode(env, None, names))
        for row, observations in zip(fresh, first, strict=True):
            row.begin(observations, keep_final=resets_now)
        return rows

    def _expires_at(self, session: LiveSession) -> timestamp_pb2.Timestamp:
        return _timestamp(time.time_ns() + round(self._table.seconds_left(session) * 1e9))

    def _unix_time(self, table_s: float) -> timestamp_pb2.Timestamp:
        """A moment on the table's clock as one on the wall's."""
        return _timestamp(time.time_ns() + round((table_s - self._table.now_s()) * 1e9))

    def _session_to_proto(self, session: LiveSession) -> simulator_pb2.Session:
        return simulator_pb2.Session(
            session_id=session.session_id,
            server_instance_id=self._table.instance_id,
            model_id=self._spec.model_id,
            num_envs=session.num_envs,
            seed=session.seed,
            observations=session.observations,
            idle_ttl=_duration(session.idle_ttl_s),
            max_lifetime=_duration(session.expires_s - session.created_s),
            auto_reset=session.auto_reset,
            max_episode_steps=session.max_episode_steps,
            lease_expires_at=self._expires_at(session),
            replays_calls=True,
            client_id=session.client_id,
            envs=[
                simulator_pb2.EnvStatus(
                    phase=env.phase, episode=max(env.episodes - 1, 0), step_index=env.step_index
                )
                for env in session.environments
            ],
        )


def _require_expected(chosen: Sequence[Environment], expected: Sequence[int]) -> None:
    if len(expected) not in (0, len(chosen)):
        raise Refusal(
            "BAD_FIELD", f"has {len(expected)} entries; none or {len(chosen)} are allowed", "expected_step"
        )
    for row, step in enumerate(expected):
        env = chosen[row]
        if step != env.step_index:
            raise Refusal(
                "STEP_CONFLICT",
                f"is {step}, but environment {env.env_id} has made {env.step_index} steps",
                f"expected_step[{row}]",
            )


def _require_running(chosen: Sequence[Environment]) -> None:
    why = {_NEEDS_RESET: "was never reset", DONE: "has ended its episode", FAILED: "failed"}
    for env in chosen:
        if env.phase != RUNNING:
            raise Refusal("NEEDS_RESET", f"environment {env.env_id} {why[env.phase]}; reset it first")


def _timing(elapsed_s: float, rows: int) -> timing_pb2.StepTiming:
    elapsed = _duration(elapsed_s)
    return timing_pb2.StepTiming(gpu=elapsed, total=elapsed, batch_size=rows)


def _timestamp(unix_ns: int) -> timestamp_pb2.Timestamp:
    moment = timestamp_pb2.Timestamp()
    moment.FromNanoseconds(unix_ns)
    return moment


def _seconds(duration: duration_pb2.Duration) -> float:
    return float(duration.seconds + duration.nanos * 1e-9)


def _duration(seconds: float) -> duration_pb2.Duration:
    whole = int(seconds)
    return duration_pb2.Duration(seconds=whole, nanos=round((seconds - whole) * 1e9))
