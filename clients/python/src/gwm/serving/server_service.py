"""gwm.v1.Server of a real environment: who it is and what it allows."""

from __future__ import annotations

import time
from typing import Any

from google.protobuf import duration_pb2, timestamp_pb2
from gwm._generated import server_pb2
from gwm.serving.backend import BackendSpec
from gwm.serving.sessions import SessionTable
from gwm.serving.spec_message import spec_to_proto
from gwm.version import VERSION

MAX_MESSAGE_BYTES = 64 << 20
MAX_REPLAY_BYTES = 4 << 20
MAX_TOMBSTONES = 10_000
TOMBSTONE_TTL_S = 3600
_MAX_LIST_PAGE = 100


def make_limits(max_envs: int, max_sessions: int) -> server_pb2.Limits:
    """Every limit that this server enforces."""
    return server_pb2.Limits(
        max_message_bytes=MAX_MESSAGE_BYTES,
        max_sessions=max_sessions,
        max_envs_per_session=max_envs,
        max_envs=max_envs,
        max_image_side=2048,
        max_pixels_per_render=1 << 24,
        min_idle_ttl=duration_pb2.Duration(seconds=1),
        max_idle_ttl=duration_pb2.Duration(seconds=86_400),
        default_idle_ttl=duration_pb2.Duration(seconds=300),
        max_lifetime=duration_pb2.Duration(seconds=86_400),
        max_call_time=duration_pb2.Duration(seconds=120),
        max_replay_bytes=MAX_REPLAY_BYTES,
        max_list_page=_MAX_LIST_PAGE,
        max_tombstones=MAX_TOMBSTONES,
        tombstone_ttl=duration_pb2.Duration(seconds=TOMBSTONE_TTL_S),
    )


class ServerService:
    def __init__(self, spec: BackendSpec, table: SessionTable, limits: server_pb2.Limits) -> None:
        self._spec = spec
        self._table = table
        self._limits = limits
        self._start = timestamp_pb2.Timestamp()
        self._start.FromNanoseconds(time.time_ns())

    def GetServerInfo(self, request: Any) -> server_pb2.ServerInfo:
        sessions, envs = self._table.counts()
        return server_pb2.ServerInfo(
            server_instance_id=self._table.instance_id,
            version=VERSION,
            start_time=self._start,
            model_id=self._spec.model_id,
            device="cpu",
            rpcs=spec_to_proto(self._spec).rpcs,
            sessions=sessions,
            envs=envs,
        )

    def GetLimits(self, request: Any) -> server_pb2.Limits:
        return self._limits
