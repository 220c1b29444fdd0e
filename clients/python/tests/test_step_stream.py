"""StepStream: many environments on one stream, and what it does when the stream breaks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import gwm
import numpy as np
import pytest
from fakes import FakeModel
from gwm._generated import run_pb2, server_pb2_grpc, simulator_pb2, simulator_pb2_grpc
from gwm.wire import to_tensor

WINDOW = 3
QUICK = gwm.RetryPolicy(attempts=4, first_wait_s=0.001, max_wait_s=0.002)


class StreamingModel(FakeModel):
    """Answers the steps of a stream in the opposite order of each two; breaks or refuses on demand."""

    def __init__(self) -> None:
        super().__init__(replays_calls=True)
        self.break_after = 0  # requests until the connection's stream is aborted; 0: never
        self.breaks_always = False
        self.refuse_tag = 0
        self.names: list[str] = []

    def Run(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        yield run_pb2.RunResponse(opened=run_pb2.RunOpened(window=WINDOW))
        held: list[Any] = []
        for request in requests:
            self.names.append(request.step.context.request_id)
            self.break_after -= 1
            if self.break_after == 0 or self.breaks_always:
                context.abort(grpc.StatusCode.UNAVAILABLE, "broken on demand")
            held.append(self.answer(request))
            if len(held) == 2:
                yield from reversed(held)
                held = []

    def answer(self, request: Any) -> Any:
        if request.tag == self.refuse_tag:
            return run_pb2.RunResponse(tag=request.tag, error={"code": 10, "message": "not so"})
        rows = len(request.step.env_ids)
        reply = simulator_pb2.StepReply(
            reward=to_tensor(np.array(request.step.env_ids, np.float32)),
            terminated=to_tensor(np.zeros(rows, np.bool_)),
            truncated=to_tensor(np.zeros(rows, np.bool_)),
            success=to_tensor(np.zeros(rows, np.bool_)),
            success_probability=to_tensor(np.zeros(rows, np.float32)),
            step_index=[step + 1 for step in request.step.expected_step],
        )
        return run_pb2.RunResponse(tag=request.tag, step=reply)


@pytest.fixture
def model() -> StreamingModel:
    return StreamingModel()


@pytest.fixture
def session(model: StreamingModel) -> Iterator[gwm.Session]:
    server = grpc.server(futures.ThreadPoolExecutor(8))
    simulator_pb2_grpc.add_SimulatorServicer_to_server(model, server)
    server_pb2_grpc.add_ServerServicer_to_server(model, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with gwm.Client(f"127.0.0.1:{port}", retry=QUICK) as client:
        yield client.create_session(4)
    server.stop(None)


def test_answers_come_as_they_get_done_with_their_environments(session: gwm.Session) -> None:
    with session.run() as stream:
        assert stream.window == WINDOW
        stream.send(np.zeros(2), [1])
        stream.send(np.zeros((2, 2)), [2, 0])
        env_ids, result = stream.recv()
        assert env_ids.tolist() == [2, 0]
        assert result.reward.tolist() == [2, 0]  # type: ignore[union-attr]
        env_ids, _ = stream.recv()
        assert env_ids.tolist() == [1]
        assert stream.in_flight == 0


def test_an_environment_has_one_step_on_its_way(session: gwm.Session) -> None:
    with session.run() as stream:
        stream.send(np.zeros(2), [1])
        with pytest.raises(ValueError, match=r"\[1\] wait for an answer"):
            stream.send(np.zeros((2, 2)), [0, 1])


def test_no_more_than_the_window_is_sent(session: gwm.Session) -> None:
    with session.run() as stream:
        for env_id in range(WINDOW):
            stream.send(np.zeros(2), [env_id])
        with pytest.raises(ValueError, match="3 calls are on their way"):
            stream.send(np.zeros(2), [3])


def test_recv_without_a_send_is_a_mistake(session: gwm.Session) -> None:
    with session.run() as stream, pytest.raises(ValueError, match="nothing is on its way"):
        stream.recv()


def test_recv_waits_no_longer_than_it_is_told(session: gwm.Session) -> None:
    with session.run() as stream:
        stream.send(np.zeros(2), [0])  # the server waits for a second one
        with pytest.raises(gwm.DeadlineError):
            stream.recv(timeout_s=0.01)
        stream.send(np.zeros(2), [1])
        assert {int(stream.recv()[0][0]), int(stream.recv()[0][0])} == {0, 1}


def test_a_refused_step_says_whose_it_was_and_the_stream_goes_on(
    session: gwm.Session, model: StreamingModel
) -> None:
    model.refuse_tag = 2
    with session.run() as stream:
        stream.send(np.zeros(2), [0])
        stream.send(np.zeros(2), [3])
        with pytest.raises(gwm.ConflictError, match="not so") as refused:
            stream.recv()
        assert refused.value.env_ids == (3,)
        assert stream.recv()[0].tolist() == [0]
        stream.send(np.zeros((2, 2)), [0, 3])


def test_steps_that_were_not_answered_are_sent_again_under_their_names(
    session: gwm.Session, model: StreamingModel
) -> None:
    model.break_after = 2
    with session.run() as stream:
        stream.send(np.zeros(2), [0])
        stream.send(np.zeros(2), [1])
        seen = {int(stream.recv()[0][0]), int(stream.recv()[0][0])}
    assert seen == {0, 1}
    assert len(model.names) == 4
    assert model.names[:2] == model.names[2:]


def test_a_server_that_stays_broken_is_reported(session: gwm.Session, model: StreamingModel) -> None:
    model.breaks_always = True
    with session.run() as stream:
        stream.send(np.zeros(2), [0])
        with pytest.raises(gwm.UnavailableError, match="broken on demand"):
            stream.recv()
    assert len(model.names) == QUICK.attempts
