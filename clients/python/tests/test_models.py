"""Models of a server: the client's calls and the command."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import gwm
import pytest
from gwm._generated import models_pb2, models_pb2_grpc, server_pb2_grpc, simulator_pb2, simulator_pb2_grpc
from gwm.cli.main import main
from gwm.models import ModelInfo

DIGESTS = ("aa11", "aa22", "bb33")


class FakeModels(
    models_pb2_grpc.ModelsServicer, simulator_pb2_grpc.SimulatorServicer, server_pb2_grpc.ServerServicer
):
    """Three versions; remembers the last request of each kind."""

    def __init__(self) -> None:
        self.requests: dict[str, Any] = {}
        self.models = [
            models_pb2.Model(
                model_id="gwm-small",
                checkpoint_digest=digest,
                checkpoint=f"v{number}",
                state=models_pb2.Model.STATE_READY,
                is_default=number == 0,
                sessions=number,
            )
            for number, digest in enumerate(DIGESTS)
        ]

    def ListModels(self, request: Any, context: Any) -> Any:
        return models_pb2.ListModelsReply(models=self.models)

    def GetModel(self, request: Any, context: Any) -> Any:
        return self._named(request, context)

    def LoadModel(self, request: Any, context: Any) -> Any:
        self.requests["load"] = request
        return self.models[1]

    def UnloadModel(self, request: Any, context: Any) -> Any:
        self.requests["unload"] = request
        found = models_pb2.Model()
        found.CopyFrom(self._named(request, context))
        found.state = models_pb2.Model.STATE_DRAINING
        found.unload_at.FromSeconds(1000)
        return found

    def SetDefaultModel(self, request: Any, context: Any) -> Any:
        self.requests["default"] = request
        return self._named(request, context)

    def WarmUp(self, request: Any, context: Any) -> Any:
        self.requests["warm_up"] = request
        reply = models_pb2.WarmUpReply()
        reply.step.FromMilliseconds(25)
        return reply

    def GetSpec(self, request: Any, context: Any) -> Any:
        self.requests["spec"] = request
        return simulator_pb2.SimulatorSpec(checkpoint_digest=request.checkpoint_digest)

    def CreateSession(self, request: Any, context: Any) -> Any:
        self.requests["create"] = request
        return simulator_pb2.Session(
            session_id="s", num_envs=1, model_id="gwm-small", checkpoint_digest=request.checkpoint_digest
        )

    def CloseSession(self, request: Any, context: Any) -> Any:
        return simulator_pb2.CloseSessionReply()

    def _named(self, request: Any, context: Any) -> Any:
        for model in self.models:
            if model.checkpoint_digest == request.checkpoint_digest:
                return model
        return context.abort(grpc.StatusCode.NOT_FOUND, "no such version")


@pytest.fixture
def served() -> Iterator[tuple[FakeModels, str]]:
    fake = FakeModels()
    server = grpc.server(ThreadPoolExecutor(4))
    models_pb2_grpc.add_ModelsServicer_to_server(fake, server)
    simulator_pb2_grpc.add_SimulatorServicer_to_server(fake, server)
    server_pb2_grpc.add_ServerServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield fake, f"127.0.0.1:{port}"
    server.stop(None)


def test_a_hot_swap_call_by_call(served: tuple[FakeModels, str]) -> None:
    fake, address = served
    with gwm.Client(address) as client:
        before = client.models.list()
        assert [model.checkpoint_digest for model in before] == list(DIGESTS)
        assert before[0] == client.models.get(checkpoint_digest="aa11")
        loaded = client.models.load("v1", expected_digest="aa22", set_default=True)
        assert isinstance(loaded, ModelInfo)
        assert (loaded.state, loaded.unload_s) == ("ready", None)
        assert fake.requests["load"].set_default
        assert fake.requests["load"].expected_digest == "aa22"
        draining = client.models.unload("aa11", drain=True, grace_s=2.5)
        assert draining.state == "draining"
        assert draining.unload_s == pytest.approx(1000)
        assert fake.requests["unload"].grace.ToMilliseconds() == 2500
        client.models.set_default("bb33")
        assert fake.requests["default"].checkpoint_digest == "bb33"
        assert client.models.warm_up(rows=3).step_s == pytest.approx(0.025)
        assert fake.requests["warm_up"].rows == 3


def test_without_a_grace_none_is_sent(served: tuple[FakeModels, str]) -> None:
    fake, address = served
    with gwm.Client(address) as client:
        client.models.unload("aa11", drain=True)
        assert not fake.requests["unload"].HasField("grace")
        with pytest.raises(ValueError, match="grace_s"):
            client.models.unload("aa11", drain=True, grace_s=float("nan"))


def test_sessions_and_specs_name_their_version(served: tuple[FakeModels, str]) -> None:
    fake, address = served
    with gwm.Client(address) as client:
        assert client.spec_of(checkpoint_digest="bb33").checkpoint_digest == "bb33"
        session = client.create_session(checkpoint_digest="aa22", spillable=True)
        assert session.checkpoint_digest == "aa22"
        assert fake.requests["create"].spillable


def test_the_command_lists_and_swaps(
    served: tuple[FakeModels, str], capsys: pytest.CaptureFixture[str]
) -> None:
    fake, address = served
    assert main(["models", "list", "--address", address]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "ready *" in lines[0]
    assert "from v2" in lines[2]
    assert main(["models", "load", "v1", "--default", "--address", address]) == 0
    assert fake.requests["load"].checkpoint == "v1"
    # The first characters are enough as long as one version has them.
    assert main(["models", "default", "b", "--address", address]) == 0
    assert fake.requests["default"].checkpoint_digest == "bb33"
    assert main(["models", "unload", "aa2", "--drain", "--grace", "5", "--address", address]) == 0
    assert fake.requests["unload"].checkpoint_digest == "aa22"
    assert main(["models", "warm-up", "bb33", "--rows", "2", "--address", address]) == 0
    assert "step 25.0 ms" in capsys.readouterr().out


@pytest.mark.parametrize(("prefix", "what"), [("aa", "more than one version"), ("c", "no version")])
def test_an_unclear_digest_is_one_line(
    served: tuple[FakeModels, str], capsys: pytest.CaptureFixture[str], prefix: str, what: str
) -> None:
    assert main(["models", "unload", prefix, "--address", served[1]]) == 1
    assert what in capsys.readouterr().err
    assert "unload" not in served[0].requests
