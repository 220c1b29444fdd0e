"""Thousands of broken requests: each gets a proper code, and the server goes on as if nothing had been."""

from __future__ import annotations

import random
from collections import Counter

import grpc
import gwm
import numpy as np
from conftest import EPISODES
from demo.rollouts import frames_at
from gwm._generated import perception_pb2, server_pb2, simulator_pb2, tensor_pb2
from gwm.episode import read_episode
from gwm.wire import to_tensor

REQUESTS = 2000
ALLOWED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    # gRPC's own answer to bytes that are no message at all.
    grpc.StatusCode.INTERNAL,
}
EXTREMES = (0, 1, -1, 2**31 - 1, -(2**31), 2**32 + 1, 2**62, -(2**63), 2**63 - 1)


def seeds(session_id: str) -> list[tuple[str, bytes]]:
    """Valid requests of every RPC, small ones."""
    episode = read_episode(EPISODES / "hammer-v3/expert_005.safetensors.zst")
    frames = frames_at(episode, [2], 1).to_proto()
    action = to_tensor(np.zeros((1, 4), np.float32))
    simulator, perception = "/gwm.v1.Simulator/", "/gwm.v1.Perception/"
    requests = [
        (simulator + "GetSpec", simulator_pb2.GetSpecRequest()),
        (simulator + "GetSession", simulator_pb2.GetSessionRequest(session_id=session_id)),
        (
            simulator + "Reset",
            simulator_pb2.ResetRequest(session_id=session_id, env_ids=[0], pool_indices=[0]),
        ),
        (simulator + "Reset", simulator_pb2.ResetRequest(session_id=session_id, env_ids=[0], frames=frames)),
        (simulator + "Step", simulator_pb2.StepRequest(session_id=session_id, env_ids=[0], actions=action)),
        (simulator + "Render", simulator_pb2.RenderRequest(session_id=session_id, env_ids=[0])),
        (perception + "Encode", perception_pb2.EncodeRequest(frames=frames)),
        ("/gwm.v1.Server/GetLimits", server_pb2.GetLimitsRequest()),
    ]
    return [(method, request.SerializeToString()) for method, request in requests]


def mutate_bytes(data: bytes, chance: random.Random) -> bytes:
    """Flips, cuts, doubles or inserts bytes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        # The head of a message holds its structure; its tail is mostly pixels.
        place = chance.randrange(min(len(changed), 96) + 1)
        kind = chance.randrange(4)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del changed[place : place + chance.randint(1, 16)]
        elif kind == 2:
            changed[place:place] = chance.randbytes(chance.randint(1, 8))
        else:
            changed = changed[: chance.randrange(len(changed) + 1)]
    return bytes(changed)


def bad_tensor(chance: random.Random) -> tensor_pb2.Tensor:
    """A tensor whose parts contradict each other or are absurd."""
    shape = [chance.choice((*EXTREMES, 1, 4)) for _ in range(chance.randrange(7))]
    data = chance.choice((b"", chance.randbytes(16), np.full(4, np.nan, "<f4").tobytes()))
    return tensor_pb2.Tensor(dtype=chance.randrange(12), shape=shape, data=data)


def structured(session_id: str, chance: random.Random) -> tuple[str, bytes]:
    """A well-formed message with absurd contents."""
    env_ids = [abs(chance.choice(EXTREMES)) % 2**32 for _ in range(chance.randrange(3))]
    kind = chance.randrange(4)
    if kind == 0:
        step = simulator_pb2.StepRequest(session_id=session_id, env_ids=env_ids, actions=bad_tensor(chance))
        step.observations.extend(chance.choice(([], ["rgb"], ["nonsense"], ["rgb", "rgb"])))
        return "/gwm.v1.Simulator/Step", step.SerializeToString()
    if kind == 1:
        reset = simulator_pb2.ResetRequest(session_id=session_id, env_ids=env_ids)
        for name in ("rgb", "depth_mm", "intrinsics", "world_from_cam", "actions"):
            if chance.random() < 0.7:
                getattr(reset.frames, name).CopyFrom(bad_tensor(chance))
        return "/gwm.v1.Simulator/Reset", reset.SerializeToString()
    if kind == 2:
        render = simulator_pb2.RenderRequest(session_id=session_id, env_ids=env_ids)
        camera = render.cameras.add(
            width=chance.choice((0, 1, 64, 2**31)), height=chance.choice((0, 64, 2**32 - 1))
        )
        camera.intrinsics.extend(chance.choice((0.0, 1.0, float("nan"), 1e38)) for _ in range(9))
        camera.world_from_cam.extend(chance.choice((0.0, 1.0, float("inf"))) for _ in range(16))
        return "/gwm.v1.Simulator/Render", render.SerializeToString()
    decode = perception_pb2.DecodeRequest(latents=bad_tensor(chance))
    decode.frames.rgb.CopyFrom(bad_tensor(chance))
    return "/gwm.v1.Perception/Decode", decode.SerializeToString()


def send(channel: grpc.Channel, method: str, data: bytes) -> grpc.StatusCode:
    identity = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
    try:
        identity(data, timeout=30)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_the_server_survives_thousands_of_mutated_requests(client: gwm.Client, address: str) -> None:
    chance = random.Random(20_250_101)
    counts: Counter[grpc.StatusCode] = Counter()
    with (
        client.create_session(num_envs=1, seed=1) as witness,
        client.create_session(num_envs=1, seed=1) as victim,
    ):
        witness.reset(pool_indices=[0])
        before = witness.render().rgb
        valid = seeds(victim.session_id)
        with grpc.insecure_channel(address) as channel:
            for index in range(REQUESTS):
                if index % 3 == 2:
                    method, data = structured(victim.session_id, chance)
                else:
                    method, data = chance.choice(valid)
                    data = mutate_bytes(data, chance)
                counts[send(channel, method, data)] += 1
        assert set(counts) <= ALLOWED, counts
        assert counts[grpc.StatusCode.INVALID_ARGUMENT] > REQUESTS / 10, counts
        assert np.array_equal(before, witness.render().rgb)
        assert witness.step(np.zeros((1, 4), np.float32)).step_index[0] == 1
    assert client.server_info().sessions == 0
