"""Runs one environment in a process of its own: one renderer per process, and a crash takes nobody along."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy.typing as npt
from gwm.serving.backend import Backend, BackendSpec, Outcome, UnsupportedError, make_backend

Array = npt.NDArray[Any]

# Importing the simulator and compiling a scene takes seconds, on a busy machine many of them.
START_TIMEOUT_S = 120.0
CALL_TIMEOUT_S = 60.0


class WorkerError(Exception):
    """The environment raised, or its process died; it has to be replaced."""


class Worker(Protocol):
    """A backend that may live elsewhere; its calls raise WorkerError or UnsupportedError."""

    @property
    def spec(self) -> BackendSpec: ...
    def reset(self, seed: int, observations: Sequence[str]) -> dict[str, Array]: ...
    def step(self, action: Array, observations: Sequence[str], pose: Array | None) -> Outcome: ...
    def render(self, outputs: Sequence[str], poses: Sequence[Array]) -> dict[str, Array]: ...
    def close(self) -> None: ...


WorkerFactory = Callable[[], Worker]


class InProcessWorker:
    """The same contract without a process, for environments that are cheap and need no OpenGL."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.spec = backend.spec

    def reset(self, seed: int, observations: Sequence[str]) -> dict[str, Array]:
        return self._guard(self._backend.reset, seed, observations)

    def step(self, action: Array, observations: Sequence[str], pose: Array | None) -> Outcome:
        return self._guard(self._backend.step, action, observations, pose)

    def render(self, outputs: Sequence[str], poses: Sequence[Array]) -> dict[str, Array]:
        return self._guard(self._backend.render, outputs, poses)

    def close(self) -> None:
        self._backend.close()

    @staticmethod
    def _guard(function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except UnsupportedError:
            raise
        except Exception as error:
            raise WorkerError(f"{type(error).__name__}: {error}") from error


class ProcessWorker:
    """A child process that answers one call at a time over a pipe. Not thread-safe: one caller at a time."""

    def __init__(self, name: str, options: dict[str, Any] | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(child_pipe, name, dict(options or {})), name=f"gwm-env {name}", daemon=True
        )
        self._process.start()
        child_pipe.close()
        try:
            self.spec: BackendSpec = self._receive(START_TIMEOUT_S)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def reset(self, seed: int, observations: Sequence[str]) -> dict[str, Array]:
        return self._call("reset", seed, tuple(observations))

    def step(self, action: Array, observations: Sequence[str], pose: Array | None) -> Outcome:
        return self._call("step", action, tuple(observations), pose)

    def render(self, outputs: Sequence[str], poses: Sequence[Array]) -> dict[str, Array]:
        return self._call("render", tuple(outputs), list(poses))

    def close(self) -> None:
        """Ends the process; safe to call twice."""
        self._pipe.close()
        if self._process.is_alive():
            self._process.join(timeout=2.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            self._pipe.send((method, arguments))
        except (OSError, ValueError) as error:
            raise WorkerError(f"the environment's process is gone ({error})") from error
        return self._receive(CALL_TIMEOUT_S)

    def _receive(self, timeout_s: float) -> Any:
        try:
            if not self._pipe.poll(timeout_s):
                raise WorkerError(f"the environment did not answer within {timeout_s:g} s")
            kind, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise WorkerError("the environment's process died") from error
        if kind == "unsupported":
            raise UnsupportedError(value)
        if kind == "error":
            raise WorkerError(value)
        return value


def _serve(pipe: multiprocessing.connection.Connection, name: str, options: dict[str, Any]) -> None:
    """The child: makes the environment, sends its spec, answers calls until the pipe closes."""
    # Ctrl-C reaches the whole group; the parent decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        backend = make_backend(name, options)
    except Exception as error:
        pipe.send(("error", f"{type(error).__name__}: {error}"))
        return
    pipe.send(("ok", backend.spec))
    try:
        while True:
            method, arguments = pipe.recv()
            pipe.send(_answer(backend, method, arguments))
    except (EOFError, OSError):
        pass
    finally:
        backend.close()


def _answer(backend: Backend, method: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "ok", getattr(backend, method)(*arguments)
    except UnsupportedError as error:
        return "unsupported", str(error)
    except Exception as error:
        traceback.print_exc()
        return "error", f"{type(error).__name__}: {error}"
