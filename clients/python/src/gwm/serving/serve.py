"""Puts a real environment on an address."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import grpc
from gwm._generated import server_pb2, simulator_pb2
from gwm.serving.backend import BackendSpec
from gwm.serving.handler import unary_handlers
from gwm.serving.server_service import (
    MAX_MESSAGE_BYTES,
    MAX_REPLAY_BYTES,
    MAX_TOMBSTONES,
    TOMBSTONE_TTL_S,
    ServerService,
    make_limits,
)
from gwm.serving.sessions import SessionTable, TableLimits
from gwm.serving.simulator_service import SimulatorService
from gwm.serving.worker import ProcessWorker, WorkerFactory

_LOG = logging.getLogger("gwm.serve")

DEFAULT_ADDRESS = "127.0.0.1:50052"
DEFAULT_MAX_ENVS = 16
_MAX_SESSIONS = 64
_REAPER_TICK_S = 1.0
_RPC_THREADS = 16


class EnvServer:
    """A running server; `address` tells the port that was bound. Use as a context manager, or call stop()."""

    def __init__(
        self,
        factory: WorkerFactory,
        listen: str = "127.0.0.1:0",
        *,
        max_envs: int = DEFAULT_MAX_ENVS,
        max_sessions: int = _MAX_SESSIONS,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = make_limits(max_envs, max_sessions)
        self.table = SessionTable(
            factory,
            TableLimits(max_sessions, max_envs, MAX_REPLAY_BYTES, MAX_TOMBSTONES, TOMBSTONE_TTL_S),
            clock_s,
        )
        # The first worker tells what is served, and then waits for the first session.
        self.spec: BackendSpec = self.table.prepare()
        self._rows = ThreadPoolExecutor(max_envs, thread_name_prefix="gwm-row")
        self._server = grpc.server(
            ThreadPoolExecutor(_RPC_THREADS, thread_name_prefix="gwm-rpc"),
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", (1 << 31) - 1),
                # A second server on the same port must fail instead of taking half of the calls.
                ("grpc.so_reuseport", 0),
            ],
        )
        self._add_services(limits)
        port = self._bind(listen)
        self.address = listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"
        self._stopping = threading.Event()
        self._reaper = threading.Thread(target=self._reap, name="gwm-reaper", daemon=True)
        self._server.start()
        self._reaper.start()

    def stop(self, grace_s: float = 2.0) -> None:
        """Refuses new calls, lets running ones finish, ends the environments; safe to call twice."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._health_down()
        self._server.stop(grace_s).wait()
        self._reaper.join()
        self._rows.shutdown()
        self.table.shut_down()

    def __enter__(self) -> EnvServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _bind(self, listen: str) -> int:
        try:
            port = int(self._server.add_insecure_port(listen))
        except RuntimeError as error:
            self.table.shut_down()
            raise OSError(f"cannot listen on {listen!r}; is the port taken? ({error})") from error
        return port

    def _add_services(self, limits: server_pb2.Limits) -> None:
        services = {
            simulator_pb2.DESCRIPTOR.services_by_name["Simulator"]: SimulatorService(
                self.spec, self.table, limits, self._rows
            ),
            server_pb2.DESCRIPTOR.services_by_name["Server"]: ServerService(self.spec, self.table, limits),
        }
        for descriptor, implementation in services.items():
            self._server.add_generic_rpc_handlers([unary_handlers(descriptor, implementation)])
        names = [descriptor.full_name for descriptor in services]
        self._health = _add_health(self._server, names)
        _add_reflection(self._server, names)

    def _health_down(self) -> None:
        if self._health is not None:
            self._health.enter_graceful_shutdown()

    def _reap(self) -> None:
        while not self._stopping.wait(_REAPER_TICK_S):
            self.table.expire()


def serve_env(name: str, options: dict[str, Any], listen: str, max_envs: int) -> None:
    """Serves until SIGTERM or Ctrl-C. Raises WorkerError (no such environment) or OSError (the port)."""
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    with EnvServer(lambda: ProcessWorker(name, options), listen, max_envs=max_envs) as server:
        print(f"serving {server.spec.model_id} on {server.address}", flush=True)
        asked_to_stop.wait()
        _LOG.info("stopping")


def _add_health(server: grpc.Server, names: list[str]) -> Any:
    try:
        from grpc_health.v1 import health, health_pb2, health_pb2_grpc
    except ImportError:
        return None
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    for name in ("", *names):
        servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    return servicer


def _add_reflection(server: grpc.Server, names: list[str]) -> None:
    try:
        from grpc_reflection.v1alpha import reflection
    except ImportError:
        return
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
