"""A client that knows nothing but the address: it learns the messages by reflection, and steps."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

F32 = 6


class ReflectedClient:
    """Calls any unary method by its names, with messages made from the server's own descriptors."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._database = ProtoReflectionDescriptorDatabase(channel)
        self._pool = DescriptorPool(self._database)

    def services(self) -> list[str]:
        return list(self._database.get_services())

    def call(self, service: str, method: str, **fields: Any) -> Any:
        descriptor = self._pool.FindServiceByName(service).FindMethodByName(method)
        request_class = message_factory.GetMessageClass(descriptor.input_type)
        reply_class = message_factory.GetMessageClass(descriptor.output_type)
        invoke = self._channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=request_class.SerializeToString,
            response_deserializer=reply_class.FromString,
        )
        return invoke(request_class(**fields), timeout=60)


def test_a_client_built_from_reflection_alone_steps(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        client = ReflectedClient(channel)
        assert {"gwm.v1.Simulator", "gwm.v1.Perception", "gwm.v1.Server"} <= set(client.services())
        spec = client.call("gwm.v1.Simulator", "GetSpec")
        width = spec.actions[0].shape[0]
        session = client.call("gwm.v1.Simulator", "CreateSession", num_envs=2, observations=["rgb"])
        client.call("gwm.v1.Simulator", "Reset", session_id=session.session_id)
        actions = {"dtype": F32, "shape": [2, width], "data": np.zeros((2, width), "<f4").tobytes()}
        reply = client.call("gwm.v1.Simulator", "Step", session_id=session.session_id, actions=actions)
        client.call("gwm.v1.Simulator", "CloseSession", session_id=session.session_id)
    assert list(reply.step_index) == [1, 1]
    rgb = reply.observations["rgb"]
    assert len(rgb.data) == np.prod(rgb.shape)


def test_health_names_the_whole_server_and_each_service(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "gwm.v1.Simulator", "gwm.v1.Perception", "gwm.v1.Server"):
            reply = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
            assert reply.status == health_pb2.HealthCheckResponse.SERVING
