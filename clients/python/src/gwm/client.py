"""The typed client: `gwm.Client("localhost:50051")`; numpy in, numpy out.

with gwm.Client("localhost:50051") as client, client.create_session(num_envs=2, seed=1) as session:
    start = session.reset()
    result = session.step(np.zeros((2, 4)), observations=["rgb"])
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from google.protobuf import duration_pb2
from gwm._generated import perception_pb2, server_pb2, simulator_pb2, tensor_pb2
from gwm.call_names import CallNames
from gwm.channel import DEFAULT_TIMEOUT_S, Connection
from gwm.closing import Closing
from gwm.models import Models
from gwm.options import AUTO_RESETS, FEATURE_DTYPES, POOLINGS, PRIORITIES, SAMPLERS, choose
from gwm.render_fields import render_fields
from gwm.replies import optional_tensor
from gwm.retry import RetryPolicy
from gwm.session import Session
from gwm.trainer import Trainer
from gwm.types import (
    Array,
    Camera,
    Encoded,
    FeatureTokens,
    FieldSpec,
    Gaussians,
    Images,
    RgbdFrames,
    ServerInfo,
    SessionSummary,
    Spec,
)
from gwm.wire import from_tensor, numpy_dtype, to_tensor


class Client(Closing):
    """A server at an address ("HOST:PORT" or "unix:PATH"). Thread-safe; connects on the first call.

    timeout_s is the default deadline of a call. Calls that a repetition cannot harm are repeated when the
    server is not reachable or the reply got lost; so are create_session, reset, step and fork, since the
    server knows a repetition by its name (Session.replays_calls).
    client_id: whose the sessions are; the same text in another run finds them again with sessions(). None: a
    random one. priority: of calls that use the device, "low", "normal" or "high" (if the server allows it).
    """

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retry: RetryPolicy | None = None,
        client_id: str | None = None,
        priority: str = "normal",
    ) -> None:
        self._connection = Connection(
            address, timeout_s, retry or RetryPolicy(), choose(PRIORITIES, "priority", priority)
        )
        self.client_id = secrets.token_hex(16) if client_id is None else client_id
        self._call_names = CallNames()
        self.models = Models(self._connection)
        self.trainer = Trainer(self._connection)
        self._spec: Spec | None = None

    @property
    def address(self) -> str:
        return self._connection.address

    @property
    def connection(self) -> Connection:
        """The transport below, for calls that this class does not offer."""
        return self._connection

    # --- the server -----------------------------------------------------------------------------------------

    def spec(self, *, refresh: bool = False) -> Spec:
        """What the default model serves: shapes, ranges, options. Asked once, then remembered."""
        if self._spec is None or refresh:
            reply = self._connection.call(
                "simulator", "GetSpec", simulator_pb2.GetSpecRequest(), idempotent=True
            )
            self._spec = _spec_from_proto(reply)
        return self._spec

    def spec_of(self, model_id: str = "", checkpoint_digest: str = "") -> Spec:
        """The same of one of several models; not remembered."""
        request = simulator_pb2.GetSpecRequest(model_id=model_id, checkpoint_digest=checkpoint_digest)
        return _spec_from_proto(self._connection.call("simulator", "GetSpec", request, idempotent=True))

    def server_info(self) -> ServerInfo:
        reply = self._connection.call(
            "server", "GetServerInfo", server_pb2.GetServerInfoRequest(), idempotent=True
        )
        return ServerInfo(
            server_instance_id=reply.server_instance_id,
            version=reply.version,
            model_id=reply.model_id,
            device=reply.device,
            start_time_s=reply.start_time.seconds + reply.start_time.nanos * 1e-9,
            sessions=reply.sessions,
            envs=reply.envs,
            rpcs=frozenset(reply.rpcs),
        )

    def limits(self) -> Any:
        """The server's gwm.v1.Limits message."""
        return self._connection.call("server", "GetLimits", server_pb2.GetLimitsRequest(), idempotent=True)

    def drain(self, *, lame_duck_s: float | None = None, timeout_s: float | None = None) -> Any:
        """Takes the server out of service and ends it; returns the gwm.v1.DrainReply at once.

        Calls are taken for `lame_duck_s` more; what still runs `timeout_s` from now is cancelled. None: as
        the server is configured.
        """
        request = server_pb2.DrainRequest()
        if lame_duck_s is not None:
            request.lame_duck.FromNanoseconds(round(lame_duck_s * 1e9))
        if timeout_s is not None:
            request.timeout.FromNanoseconds(round(timeout_s * 1e9))
        return self._connection.call("server", "Drain", request, idempotent=True)

    # --- sessions -------------------------------------------------------------------------------------------

    def create_session(
        self,
        num_envs: int = 1,
        *,
        seed: int | None = None,
        observations: Sequence[str] = (),
        sampler_calls: int = 0,
        sampler: str | None = None,
        auto_reset: str = "none",
        max_episode_steps: int = 0,
        max_expected_error: float = 0.0,
        idle_ttl_s: float | None = None,
        max_lifetime_s: float | None = None,
        evictable: bool = False,
        spillable: bool = False,
        model_id: str = "",
        checkpoint_digest: str = "",
    ) -> Session:
        """Makes a session of `num_envs` environments; close it, or use it in a `with` statement.

        seed: None lets the server draw one (Session.seed tells it). observations: what reset and step return
        by default; names of spec().observations. sampler_calls: noise levels per step, 0 for the model's
        default; sampler: "euler" (one denoiser call each) or "heun" (two each but the last), None for the
        model's. auto_reset: what happens when an episode ends, as gymnasium's AutoresetMode: "none",
        "next_step" or "same_step"; spec().raw.auto_resets lists what the server can do.
        max_episode_steps: steps after which an episode is truncated, 0 for never. max_expected_error: a step
        whose expected_error exceeds it truncates the episode too, 0 for never (needs
        spec().tells_expected_error). idle_ttl_s: the session expires this long after its last call.
        evictable: it may also be ended when another session needs the room. spillable: its states may wait in
        host memory instead while it is idle; its next call brings them back as they were.
        model_id, checkpoint_digest: which of the served models (see Models); both empty for the default one.
        The session stays on that version.
        """
        request = simulator_pb2.CreateSessionRequest(
            model_id=model_id,
            checkpoint_digest=checkpoint_digest,
            num_envs=num_envs,
            seed=seed,
            sampler=simulator_pb2.SamplerConfig(
                calls=sampler_calls, kind=choose(SAMPLERS, "sampler", sampler)
            ),
            observations=observations,
            auto_reset=choose(AUTO_RESETS, "auto_reset", auto_reset),
            max_episode_steps=max_episode_steps,
            max_expected_error=max_expected_error,
            idle_ttl=_duration(idle_ttl_s),
            max_lifetime=_duration(max_lifetime_s),
            evictable=evictable,
            spillable=spillable,
            context=self._context(),
        )
        # Repeated also where the name is not heeded: a session that nobody knows of ends with its lease.
        request.context.request_id = self._call_names.next()
        reply = self._connection.call("simulator", "CreateSession", request, idempotent=True)
        return Session(self._connection, reply)

    def attach_session(self, session_id: str) -> Session:
        """A session that somebody else made, or that this program made before it lost its connection."""
        request = simulator_pb2.GetSessionRequest(session_id=session_id)
        reply = self._connection.call("simulator", "GetSession", request, idempotent=True)
        return Session(self._connection, reply)

    def sessions(self) -> Iterator[SessionSummary]:
        """The open sessions of this client_id."""
        request = simulator_pb2.ListSessionsRequest(context=self._context())
        while True:
            reply = self._connection.call("simulator", "ListSessions", request, idempotent=True)
            for found in reply.sessions:
                yield SessionSummary(
                    session_id=found.session_id,
                    num_envs=found.num_envs,
                    state_bytes=found.state_bytes,
                    created_s=found.created_at.ToNanoseconds() * 1e-9,
                    expires_s=found.lease_expires_at.ToNanoseconds() * 1e-9,
                )
            if not reply.next_page_token:
                return
            request.page_token = reply.next_page_token

    # --- perception -----------------------------------------------------------------------------------------

    def encode(
        self,
        frames: RgbdFrames,
        *,
        gaussian_count: int = 0,
        model_id: str = "",
        checkpoint_digest: str = "",
    ) -> Encoded:
        """RGB-D frames -> latent tokens of the newest frame, with their places in the world.

        gaussian_count: so many Gaussians of each world come too, spread over the scene (for point-cloud
        policies); up to the smaller of spec().raw.gaussians and limits().max_sampled_gaussians.
        """
        request = perception_pb2.EncodeRequest(
            frames=frames.to_proto(),
            gaussian_count=gaussian_count,
            model_id=model_id,
            checkpoint_digest=checkpoint_digest,
            context=self._context(),
        )
        reply = self._connection.call("perception", "Encode", request, idempotent=True)
        return Encoded(
            from_tensor(reply.latents),
            from_tensor(reply.centres),
            tuple(Gaussians.from_proto(cloud) for cloud in reply.gaussians),
            reply.model_id,
            reply.checkpoint_digest,
        )

    def decode(
        self,
        latents: Array,
        frames: RgbdFrames,
        *,
        cameras: Sequence[Camera] = (),
        outputs: Sequence[str] = ("rgb",),
        rgb_dtype: str = "u8",
        model_id: str = "",
        checkpoint_digest: str = "",
    ) -> Images:
        """Latent tokens f32 [n, M, L] -> images, over the frames that they were encoded from."""
        request = perception_pb2.DecodeRequest(
            model_id=model_id,
            checkpoint_digest=checkpoint_digest,
            latents=to_tensor(latents, np.float32),
            frames=frames.to_proto(),
            context=self._context(),
            **render_fields(cameras, outputs, rgb_dtype),
        )
        reply = self._connection.call("perception", "Decode", request, idempotent=True)
        return Images.from_proto(reply.images)

    def features(
        self,
        frames: RgbdFrames,
        *,
        pooling: str = "tokens",
        dtype: str = "f32",
        model_id: str = "",
        checkpoint_digest: str = "",
    ) -> FeatureTokens:
        """RGB-D frames -> hidden features of the dynamics model, for policies.

        pooling: "tokens" for all of them [n, M, D], "mean" [n, D], "attention" for eight weighted means
        [n, 8, D]. dtype: "f32", "f16" or "bf16", how they travel; bf16 arrives as float32. A world's features
        are the same bits whoever shares its call.
        """
        request = perception_pb2.FeaturesRequest(
            frames=frames.to_proto(),
            pooling=choose(POOLINGS, "pooling", pooling),
            dtype=choose(FEATURE_DTYPES, "dtype", dtype),
            model_id=model_id,
            checkpoint_digest=checkpoint_digest,
            context=self._context(),
        )
        reply = self._connection.call("perception", "Features", request, idempotent=True)
        return FeatureTokens(
            from_tensor(reply.features),
            optional_tensor(reply, "centres"),
            reply.model_id,
            reply.checkpoint_digest,
            reply.cache_key,
        )

    def _context(self) -> simulator_pb2.RequestContext:
        return simulator_pb2.RequestContext(
            client_id=self.client_id,
            priority=self._connection.priority,  # type: ignore[arg-type]
        )

    # --- life -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Closes the connection, not the sessions."""
        self._connection.close()


def _duration(seconds: float | None) -> duration_pb2.Duration | None:
    if seconds is None:
        return None
    whole = int(seconds // 1)
    return duration_pb2.Duration(seconds=whole, nanos=round((seconds - whole) * 1e9))


def _field_spec(field: simulator_pb2.FieldSpec) -> FieldSpec:
    return FieldSpec(field.name, numpy_dtype(field.dtype), tuple(field.shape), field.min, field.max)


def _spec_from_proto(reply: simulator_pb2.SimulatorSpec) -> Spec:
    action = (
        _field_spec(reply.actions[0])
        if reply.actions
        else FieldSpec("action", numpy_dtype(tensor_pb2.DTYPE_F32), (0,), -1.0, 1.0)
    )
    return Spec(
        model_id=reply.model_id,
        checkpoint_digest=reply.checkpoint_digest,
        contract_version=reply.contract_version,
        device=reply.device,
        precision=reply.precision,
        action=action,
        observations={field.name: _field_spec(field) for field in reply.observations},
        horizon=reply.horizon,
        cameras=tuple(Camera.from_proto(camera) for camera in reply.cameras),
        rpcs=frozenset(reply.rpcs),
        inits=frozenset(reply.inits),
        reset_pool_size=reply.reset_pool_size,
        context_frames=reply.context_frames,
        views=reply.views,
        height=reply.height,
        width=reply.width,
        control_dt_s=reply.control_dt_s,
        tasks=tuple(reply.tasks),
        tells_expected_error=reply.tells_expected_error,
        raw=reply,
    )
