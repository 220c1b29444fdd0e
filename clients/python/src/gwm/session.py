"""A session: environments on the server that are reset, stepped, imagined and looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from gwm._generated import scene_pb2, simulator_pb2
from gwm.call_names import CallNames
from gwm.channel import Connection
from gwm.closing import Closing
from gwm.errors import GwmError
from gwm.options import SAMPLERS, choose
from gwm.render_fields import render_fields
from gwm.rollout_messages import imagine_chunk, observe_result, plan_result
from gwm.step_messages import reset_result, step_result
from gwm.step_stream import StepStream
from gwm.types import (
    Array,
    Camera,
    EpisodeFrame,
    Images,
    ImagineChunk,
    ObserveResult,
    Plan,
    ResetResult,
    RgbdFrames,
    StateRef,
    StepResult,
)
from gwm.wire import to_tensor

# A rollout may be long; the server does not limit it either.
IMAGINE_TIMEOUT_S = 600.0
# The lease frees what a close that got lost leaves behind, so do not wait long for it.
CLOSE_TIMEOUT_S = 5.0


class Session(Closing):
    """Made by `Client.create_session`. Calls name environments by `env_ids`; None means all, in order.

    Exactly once: reset and step carry a name, and step the number of steps that each environment has made,
    so that a call whose reply got lost is sent again safely. When the outcome of a call stays unknown all the
    same (a timeout, say), the next step may raise ConflictError; resync() and go on.
    """

    def __init__(self, connection: Connection, reply: simulator_pb2.Session) -> None:
        self.connection = connection
        self._closed = False
        self.session_id: str = reply.session_id
        self.server_instance_id: str = reply.server_instance_id
        self.num_envs: int = reply.num_envs
        self.seed: int = reply.seed
        # The version of the model that the session stays on.
        self.model_id: str = reply.model_id
        self.checkpoint_digest: str = reply.checkpoint_digest
        self.observations: tuple[str, ...] = tuple(reply.observations)
        self.max_episode_steps: int = reply.max_episode_steps
        self.max_expected_error: float = reply.max_expected_error
        # Whether the server answers a repeated call from memory; one that does not would step twice.
        self.replays_calls: bool = reply.replays_calls
        self._steps = np.zeros(self.num_envs, np.uint64)
        self._note_status(reply)
        self._call_names = CallNames()

    def status(self) -> Any:
        """The session's gwm.v1.Session message as it is now: phases, step counts, lease. Renews the lease."""
        request = simulator_pb2.GetSessionRequest(session_id=self.session_id)
        return self._call("GetSession", request, idempotent=True)

    def renew(self) -> float:
        """Renews the lease without doing anything else; the seconds that it lasts."""
        request = simulator_pb2.RenewSessionRequest(session_id=self.session_id)
        reply = self._call("RenewSession", request, idempotent=True)
        return float(reply.expires_in.ToNanoseconds() * 1e-9)

    def resync(self) -> Array:
        """Asks the server how many steps each environment has made, for the next step; u64 [num_envs]."""
        self._note_status(self.status())
        return self._steps.copy()

    def reset(
        self,
        env_ids: Sequence[int] | None = None,
        *,
        seed: int | None = None,
        frames: RgbdFrames | None = None,
        episode: EpisodeFrame | None = None,
        state: StateRef | None = None,
        pool_indices: Sequence[int] | None = None,
        reset_mask: Array | None = None,
        observations: Sequence[str] | None = None,
    ) -> ResetResult:
        """Starts new episodes from `frames`, from `episode`, or from the server's pool of real frames; or
        goes on from `state`: its episode, its step and, without a seed, its random numbers.

        seed: replaces the environments' seed, so that the same actions give the same bits again. reset_mask:
        bool [num_envs], the environments to reset, instead of env_ids.
        """
        if sum(init is not None for init in (frames, episode, state)) > 1:
            raise ValueError("give one of frames or episode or state")
        request = self.reset_request(
            env_ids,
            seed=seed,
            frames=frames.to_proto() if frames is not None else None,
            episode=scene_pb2.EpisodeFrame(path=episode.path, frame=episode.frame) if episode else None,
            state=state.to_proto() if state is not None else None,
            observations=observations,
            pool_indices=pool_indices,
            reset_mask=to_tensor(reset_mask, np.bool_) if reset_mask is not None else None,
        )
        result = reset_result(self._call("Reset", request, idempotent=self.replays_calls))
        named = env_ids if reset_mask is None else np.flatnonzero(reset_mask).tolist()
        assert result.step_index is not None
        self.note_steps(named, result.step_index)
        return result

    def step(
        self,
        actions: Any,
        env_ids: Sequence[int] | None = None,
        *,
        observations: Sequence[str] | None = None,
        sampler_calls: int | None = None,
        sampler: str | None = None,
        camera: Camera | None = None,
    ) -> StepResult:
        """Advances each environment by one action; actions: f32 [n, A] (or [A] when n is 1).

        sampler_calls, sampler: of this step, as in Client.create_session; None for those of the session.
        """
        request = self.step_request(
            actions,
            env_ids,
            observations=observations,
            sampler_calls=sampler_calls,
            sampler=sampler,
            camera=camera,
        )
        result = step_result(self._call("Step", request, idempotent=self.replays_calls))
        self.note_steps(env_ids, result.step_index)
        return result

    def run(self) -> StepStream:
        """A stream for calls on many environments at once, each answered as soon as it is done."""
        return StepStream(self)

    def render(
        self,
        env_ids: Sequence[int] | None = None,
        *,
        cameras: Sequence[Camera] = (),
        outputs: Sequence[str] = ("rgb",),
        rgb_dtype: str = "u8",
        state: StateRef | None = None,
    ) -> Images:
        """Images of the present states, or of `state`; changes nothing. outputs: of "rgb", "depth", "alpha",
        "gaussians".
        """
        request = simulator_pb2.RenderRequest(
            session_id=self.session_id if state is None else "",
            env_ids=env_ids,
            state=state.to_proto() if state is not None else None,
            context=self._context(),
            **render_fields(cameras, outputs, rgb_dtype),
        )
        return Images.from_proto(self._call("Render", request, idempotent=True).images)

    def imagine(
        self,
        actions: Any,
        *,
        env_id: int = 0,
        branches: int = 0,
        seed: int | None = None,
        outputs: Sequence[str] = (),
        stride: int = 1,
        sampler_calls: int | None = None,
        sampler: str | None = None,
        camera: Camera | None = None,
        state: StateRef | None = None,
        return_final_state: bool = False,
        timeout_s: float = IMAGINE_TIMEOUT_S,
    ) -> Iterator[ImagineChunk]:
        """Rolls one environment forward on a copy; actions: f32 [B, T, A] (or [T, A] for one branch).

        Yields a chunk per `stride` steps. The session does not change; leaving the loop early cancels the
        rollout. state: start from there instead of from an environment. return_final_state: the last chunk
        has the states that the branches ended in.
        """
        batch = np.asarray(actions, np.float32)
        request = simulator_pb2.ImagineRequest(
            session_id=self.session_id if state is None else "",
            env_id=env_id,
            state=state.to_proto() if state is not None else None,
            return_final_state=return_final_state,
            actions=to_tensor(batch[None] if batch.ndim == 2 else batch),
            branches=branches,
            seed=seed,
            outputs=outputs,
            stride=stride,
            sampler_calls=sampler_calls,
            sampler_kind=choose(SAMPLERS, "sampler", sampler),
            camera=camera.to_proto() if camera is not None else None,
            context=self._context(),
        )
        stream = self.connection.stream("simulator", "Imagine", request, timeout_s=timeout_s)
        with contextlib.closing(stream):  # type: ignore[type-var]
            for chunk in stream:
                yield imagine_chunk(chunk)

    def plan(
        self,
        actions: Any,
        *,
        env_id: int = 0,
        discount: float = 1.0,
        sampler_calls: int | None = None,
        sampler: str | None = None,
        state: StateRef | None = None,
    ) -> Plan:
        """Tries action sequences f32 [K, H, A] on copies of one environment and says which is best; the
        session does not change. All sequences draw the environment's own random numbers. state: start from
        there instead of from an environment.
        """
        request = simulator_pb2.PlanRequest(
            session_id=self.session_id if state is None else "",
            env_id=env_id,
            state=state.to_proto() if state is not None else None,
            actions=to_tensor(np.asarray(actions, np.float32)),
            discount=discount,
            sampler_calls=sampler_calls,
            sampler_kind=choose(SAMPLERS, "sampler", sampler),
            context=self._context(),
        )
        return plan_result(self._call("Plan", request, idempotent=True))

    def observe(
        self,
        frames: RgbdFrames,
        env_ids: Sequence[int] | None = None,
        *,
        re_anchor: bool = False,
        observations: Sequence[str] = (),
    ) -> ObserveResult:
        """Compares environments with what really happened at their present step: one world of `frames` each.

        re_anchor: they go on from the real frames; episode, step and random numbers stay. observations: of
        the states after the call.
        """
        request = simulator_pb2.ObserveRequest(
            session_id=self.session_id,
            env_ids=env_ids,
            frames=frames.to_proto(),
            re_anchor=re_anchor,
            observations=observations,
            context=self._named_call() if re_anchor else self._context(),
        )
        reply = self._call("Observe", request, idempotent=self.replays_calls or not re_anchor)
        return observe_result(reply)

    def fork(self, env_ids: Sequence[int] | None = None, *, count: int = 1, split: bool = False) -> Session:
        """A new session whose environments go on from where these are: the first one's `count` children, then
        the second's, and so on. split: with random numbers of their own; else the same actions give the same
        bits.
        """
        request = self._fork_request(env_ids, count, split, into_same_session=False)
        return Session(self.connection, self._call("Fork", request, idempotent=self.replays_calls).session)

    def fork_here(
        self, env_ids: Sequence[int] | None = None, *, count: int = 1, split: bool = False
    ) -> list[int]:
        """As fork, but the children become new environments of this session; their ids."""
        request = self._fork_request(env_ids, count, split, into_same_session=True)
        reply = self._call("Fork", request, idempotent=self.replays_calls)
        self.num_envs = reply.session.num_envs
        new = np.array([reply.session.envs[env_id].step_index for env_id in reply.env_ids], np.uint64)
        self._steps = np.concatenate([self._steps, new])
        return list(reply.env_ids)

    def export_state(self, env_id: int = 0, *, keep_on_server: bool = False) -> StateRef:
        """The state of an environment, as bytes, or kept by the server until this session ends."""
        request = simulator_pb2.ExportStateRequest(
            session_id=self.session_id, env_id=env_id, keep_on_server=keep_on_server
        )
        reply = self._call("ExportState", request, idempotent=not keep_on_server)
        return StateRef.from_proto(reply.state)

    def import_state(self, blob: bytes) -> StateRef:
        """Puts a state onto the server, which keeps it until this session ends."""
        request = simulator_pb2.ImportStateRequest(session_id=self.session_id, blob=blob)
        return StateRef(state_id=self._call("ImportState", request, idempotent=False).state_id)

    def drop_state(self, state: StateRef) -> None:
        """Gives a kept state back; safe to call twice."""
        request = simulator_pb2.DropStateRequest(state_id=state.state_id)
        self._call("DropState", request, idempotent=True)

    def close(self) -> None:
        """Gives the states back; safe to call twice. The server need not be there any more."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(GwmError):
            request = simulator_pb2.CloseSessionRequest(session_id=self.session_id)
            self.connection.call(
                "simulator", "CloseSession", request, idempotent=True, timeout_s=CLOSE_TIMEOUT_S
            )

    def _fork_request(
        self, env_ids: Sequence[int] | None, count: int, split: bool, into_same_session: bool
    ) -> simulator_pb2.ForkRequest:
        modes = simulator_pb2.ForkRequest
        return simulator_pb2.ForkRequest(
            session_id=self.session_id,
            env_ids=env_ids,
            count=count,
            seed_mode=modes.SEED_MODE_SPLIT if split else modes.SEED_MODE_KEEP,
            into_same_session=into_same_session,
            context=self._named_call(),
        )

    # --- for StepStream: the same calls, sent in another way ------------------------------------------------

    def step_request(
        self,
        actions: Any,
        env_ids: Sequence[int] | None,
        *,
        observations: Sequence[str] | None = None,
        sampler_calls: int | None = None,
        sampler: str | None = None,
        camera: Camera | None = None,
    ) -> simulator_pb2.StepRequest:
        batch = np.asarray(actions, np.float32)
        return simulator_pb2.StepRequest(
            session_id=self.session_id,
            env_ids=env_ids,
            actions=to_tensor(batch[None] if batch.ndim == 1 else batch),
            expected_step=self._expected_steps(env_ids),
            observations=observations,
            sampler_calls=sampler_calls,
            sampler_kind=choose(SAMPLERS, "sampler", sampler),
            camera=camera.to_proto() if camera is not None else None,
            context=self._named_call(),
        )

    def reset_request(self, env_ids: Sequence[int] | None, **fields: Any) -> simulator_pb2.ResetRequest:
        return simulator_pb2.ResetRequest(
            session_id=self.session_id, env_ids=env_ids, context=self._named_call(), **fields
        )

    def note_steps(self, env_ids: Sequence[int] | None, steps: Array) -> None:
        """The named environments have made so many steps."""
        rows = list(env_ids) if env_ids else list(range(self.num_envs))
        if len(rows) == len(steps):
            self._steps[rows] = steps

    def _context(self) -> simulator_pb2.RequestContext:
        return simulator_pb2.RequestContext(priority=self.connection.priority)  # type: ignore[arg-type]

    def _named_call(self) -> simulator_pb2.RequestContext:
        context = self._context()
        if self.replays_calls:
            context.request_id = self._call_names.next()
        return context

    def _expected_steps(self, env_ids: Sequence[int] | None) -> list[int] | None:
        if not self.replays_calls:
            return None
        if not env_ids:
            return self._steps.tolist()
        # An id that is not there is the server's to refuse.
        if not all(0 <= env_id < self.num_envs for env_id in env_ids):
            return None
        return self._steps[list(env_ids)].tolist()

    def _note_status(self, status: simulator_pb2.Session) -> None:
        self.note_steps(None, np.array([env.step_index for env in status.envs], np.uint64))

    def _call(self, method: str, request: Any, *, idempotent: bool) -> Any:
        return self.connection.call("simulator", method, request, idempotent=idempotent)
