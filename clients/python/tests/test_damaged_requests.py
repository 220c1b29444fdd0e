"""Requests whose bytes were damaged leave any server of gwm.v1.Simulator serving."""

from __future__ import annotations

from typing import Any

import grpc
import gwm
import numpy as np
from any_server import SERVICE, random_actions
from gwm._generated import scene_pb2, simulator_pb2, tensor_pb2
from gwm.wire import to_tensor

MUTATIONS_PER_CALL = 400


def mutated(payload: bytes, keep: int, generator: np.random.Generator) -> bytes:
    """The request with a few bytes changed, taken out, doubled, or with its end cut off; most often its first
    `keep` bytes, which name the session, stay."""
    first = keep if generator.random() < 0.8 else 0
    data = bytearray(payload[first:])
    for _ in range(int(generator.integers(1, 6))):
        if not data:
            break
        place = int(generator.integers(len(data)))
        kind = int(generator.integers(5))
        if kind == 0:
            data[place] = int(generator.integers(256))
        elif kind == 1:
            data[place] ^= 1 << int(generator.integers(8))
        elif kind == 2:
            del data[place : place + int(generator.integers(1, 9))]
        elif kind == 3:
            data[place:place] = data[place : place + int(generator.integers(1, 9))]
        else:
            del data[place:]
    return payload[:first] + bytes(data)


def valid_requests(client: gwm.Client, session_id: str) -> dict[str, Any]:
    spec = client.spec()
    camera = spec.cameras[0].to_proto()
    actions = to_tensor(random_actions(client, 2))
    frames = scene_pb2.RgbdFrames(
        rgb=to_tensor(np.zeros((1, 1, 1, 2, 2, 3), np.uint8)),
        depth_mm=to_tensor(np.zeros((1, 1, 1, 2, 2), np.uint16)),
        intrinsics=to_tensor(np.eye(3, dtype=np.float32)[None]),
        world_from_cam=to_tensor(np.eye(4, dtype=np.float32)[None]),
    )
    return {
        "GetSpec": simulator_pb2.GetSpecRequest(model_id=spec.model_id),
        "CreateSession": simulator_pb2.CreateSessionRequest(num_envs=1, seed=1, observations=["rgb"]),
        "GetSession": simulator_pb2.GetSessionRequest(session_id=session_id),
        "Reset": simulator_pb2.ResetRequest(session_id=session_id, env_ids=[0], seed=4, frames=frames),
        "Step": simulator_pb2.StepRequest(
            session_id=session_id,
            env_ids=[1, 0],
            actions=actions,
            camera=camera,
            expected_step=[0, 0],
            context=simulator_pb2.RequestContext(request_id="mutant"),
        ),
        "Render": simulator_pb2.RenderRequest(
            session_id=session_id, env_ids=[0], cameras=[camera], rgb_dtype=tensor_pb2.DTYPE_U8
        ),
    }


def send(channel: grpc.Channel, method: str, payload: bytes) -> tuple[grpc.StatusCode, str, bytes]:
    """The code, the message and the reply of a call with these bytes."""
    try:
        return grpc.StatusCode.OK, "", channel.unary_unary(f"/{SERVICE}/{method}")(payload, timeout=60)
    except grpc.RpcError as error:
        return error.code(), error.details() or "", b""


def test_mutated_requests_leave_the_server_serving(client: gwm.Client) -> None:
    channel = client.connection.channel()
    generator = np.random.default_rng(20)
    made = client.create_session(2, seed=1)
    made.reset()
    seen: dict[grpc.StatusCode, int] = {}
    forbidden = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE)
    for method, request in valid_requests(client, made.session_id).items():
        payload = request.SerializeToString(deterministic=True)
        keep = 2 + len(made.session_id) if "session_id" in request.DESCRIPTOR.fields_by_name else 0
        for _ in range(MUTATIONS_PER_CALL):
            code, message, reply = send(channel, method, mutated(payload, keep, generator))
            # gRPC itself answers bytes that are no message; every other refusal has a code of its own.
            unparsed = "deserial" in message.lower() or "pars" in message.lower()
            assert unparsed or code not in forbidden, f"{method}: {code} {message}"
            seen[code] = seen.get(code, 0) + 1
            if method == "CreateSession" and code is grpc.StatusCode.OK:
                client.attach_session(simulator_pb2.Session.FromString(reply).session_id).close()
    assert sum(seen.values()) == 6 * MUTATIONS_PER_CALL
    assert seen[grpc.StatusCode.INVALID_ARGUMENT] > 50
    with client.create_session(1) as after:
        after.reset()
        assert after.step(random_actions(client, 1)).step_index.tolist() == [1]
    made.close()
