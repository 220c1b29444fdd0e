"""Steps of many environments on one stream, each answered as soon as it is done: EnvPool's send and recv."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
from gwm._generated import run_pb2
from gwm.closing import Closing
from gwm.errors import DeadlineError, GwmError, from_status
from gwm.step_messages import reset_result, step_result
from gwm.types import Array, ResetResult, StepResult

if TYPE_CHECKING:
    from gwm.session import Session


@dataclass
class _Sent:
    request: run_pb2.RunRequest
    env_ids: list[int]


class StepStream(Closing):
    """Made by `Session.run`.

        with session.run() as stream:
            for env_id in range(session.num_envs):
                stream.send(first_action[env_id], [env_id])
            while training:
                env_ids, result = stream.recv()
                stream.send(policy(result.observations), env_ids)

    An environment has one call on its way at a time. A connection that breaks is opened again and the calls
    that were not answered are sent again, under the names that they had, so that nothing happens twice.
    Not for several threads at once.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tags = itertools.count(1)
        self._in_flight: dict[int, _Sent] = {}
        self._busy: set[int] = set()
        self._failures = 0
        self._link = _Link(session)
        self._link.open()

    @property
    def window(self) -> int:
        """Most calls that may be on their way."""
        return self._link.window

    @property
    def in_flight(self) -> int:
        """Calls that recv has not answered yet."""
        return len(self._in_flight)

    def send(
        self,
        actions: Any,
        env_ids: Sequence[int] | None = None,
        *,
        observations: Sequence[str] | None = None,
        sampler_calls: int | None = None,
        sampler: str | None = None,
    ) -> None:
        """Starts a step, as Session.step. Raises ValueError when one of the environments waits for an answer,
        or when `window` calls are on their way.
        """
        named = self._free(env_ids)
        step = self._session.step_request(
            actions, named, observations=observations, sampler_calls=sampler_calls, sampler=sampler
        )
        self._send(run_pb2.RunRequest(step=step), named)

    def send_reset(
        self,
        env_ids: Sequence[int] | None = None,
        *,
        seed: int | None = None,
        observations: Sequence[str] | None = None,
    ) -> None:
        """Starts new episodes from the server's pool, as Session.reset; recv gives a ResetResult."""
        named = self._free(env_ids)
        reset = self._session.reset_request(named, seed=seed, observations=observations)
        self._send(run_pb2.RunRequest(reset=reset), named)

    def recv(self, timeout_s: float | None = None) -> tuple[Array, StepResult | ResetResult]:
        """The next answer and its environments (u32 [n]). Raises the call's GwmError, whose env_ids tell
        which environments are as they were; DeadlineError when no answer comes in `timeout_s` (None: wait).
        """
        if not self._in_flight:
            raise ValueError("nothing is on its way; send() first")
        while True:
            try:
                response = self._link.receive(timeout_s)
            except DeadlineError:
                raise
            except GwmError as error:
                self._reopen(error)
                continue
            sent = self._in_flight.pop(response.tag, None)
            if sent is not None:
                self._failures = 0
                return self._answer(sent, response)

    def close(self) -> None:
        """Ends the stream; calls on their way may or may not happen. Safe to call twice."""
        self._link.close()

    def _free(self, env_ids: Sequence[int] | None) -> list[int]:
        named = list(range(self._session.num_envs)) if env_ids is None else [int(i) for i in env_ids]
        busy = sorted(self._busy.intersection(named))
        if busy:
            raise ValueError(f"environments {busy} wait for an answer; recv() it first")
        if len(self._in_flight) >= self.window:
            raise ValueError(f"{self.window} calls are on their way, all that the server takes; recv() first")
        return named

    def _send(self, request: run_pb2.RunRequest, env_ids: list[int]) -> None:
        request.tag = next(self._tags)
        self._in_flight[request.tag] = _Sent(request, env_ids)
        self._busy.update(env_ids)
        self._link.send(request)

    def _answer(self, sent: _Sent, response: run_pb2.RunResponse) -> tuple[Array, StepResult | ResetResult]:
        self._busy.difference_update(sent.env_ids)
        if response.HasField("error"):
            error = from_status(response.error)
            error.env_ids = tuple(sent.env_ids)
            raise error
        result = step_result(response.step) if response.HasField("step") else reset_result(response.reset)
        assert result.step_index is not None
        self._session.note_steps(sent.env_ids, result.step_index)
        return np.array(sent.env_ids, np.uint32), result

    def _reopen(self, error: GwmError) -> None:
        """Opens the stream again and repeats what was not answered; raises `error` when that is not safe."""
        self._failures += 1
        retry = self._session.connection.retry
        if self._failures >= retry.attempts or not retry.may_retry(
            error, idempotent=self._session.replays_calls
        ):
            raise error
        self._link.open()
        for sent in self._in_flight.values():
            self._link.send(sent.request)


class _Link:
    """One stream at a time: a queue towards the server, and a thread that reads."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection
        self.window = 0
        self._requests: queue.SimpleQueue[run_pb2.RunRequest | None] = queue.SimpleQueue()
        self._responses: queue.SimpleQueue[run_pb2.RunResponse | GwmError] = queue.SimpleQueue()
        self._call: Any = None

    def open(self) -> None:
        def attempt(remaining_s: float) -> None:
            self.close()
            self._requests, self._responses = queue.SimpleQueue(), queue.SimpleQueue()
            requests = _until_none(self._requests)
            self._call, responses = self._connection.both_ways("simulator", "Run", requests)
            threading.Thread(target=_pump, args=(responses, self._responses), daemon=True).start()
            self.window = self.receive(remaining_s).opened.window

        self._connection.retry.call(attempt, self._connection.timeout_s, idempotent=True)

    def send(self, request: run_pb2.RunRequest) -> None:
        self._requests.put(request)

    def receive(self, timeout_s: float | None) -> run_pb2.RunResponse:
        try:
            got = self._responses.get(timeout=timeout_s)
        except queue.Empty:
            raise DeadlineError(
                f"no answer within {timeout_s} s", code=grpc.StatusCode.DEADLINE_EXCEEDED
            ) from None
        if isinstance(got, GwmError):
            raise got
        return got

    def close(self) -> None:
        self._requests.put(None)
        if self._call is not None:
            self._call.cancel()


def _until_none(requests: queue.SimpleQueue[run_pb2.RunRequest | None]) -> Iterator[run_pb2.RunRequest]:
    while (request := requests.get()) is not None:
        yield request


def _pump(
    responses: Iterator[run_pb2.RunResponse], out: queue.SimpleQueue[run_pb2.RunResponse | GwmError]
) -> None:
    try:
        for response in responses:
            out.put(response)
    except GwmError as error:
        out.put(error)
    else:
        out.put(GwmError("the server ended the stream", code=grpc.StatusCode.UNAVAILABLE))
