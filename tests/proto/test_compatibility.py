"""What was published stays: numbers, names and types of fields, and the bytes of messages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "clients/python/src")]

import numpy as np  # noqa: E402
from google.protobuf import descriptor  # noqa: E402
from gwm._generated import (  # noqa: E402
    models_pb2,
    perception_pb2,
    policy_pb2,
    server_pb2,
    simulator_pb2,
    trainer_pb2,
)
from gwm.wire import from_tensor, to_tensor  # noqa: E402

HERE = Path(__file__).parent
FIELDS = HERE / "fields.txt"
FILES = (simulator_pb2, perception_pb2, policy_pb2, models_pb2, trainer_pb2, server_pb2)


def published() -> list[str]:
    """A line for each field, enum value and RPC of gwm.v1."""
    seen: set[str] = set()
    for module in FILES:
        for file in with_imports(module.DESCRIPTOR):
            if file.package == "gwm.v1":
                seen.update(lines_of(file))
    return sorted(seen)


def with_imports(file: descriptor.FileDescriptor) -> Iterator[descriptor.FileDescriptor]:
    yield file
    for imported in file.dependencies:
        yield from with_imports(imported)


def lines_of(file: descriptor.FileDescriptor) -> Iterator[str]:
    for message in file.message_types_by_name.values():
        yield from lines_of_message(message)
    for enum in file.enum_types_by_name.values():
        yield from lines_of_enum(enum)
    for service in file.services_by_name.values():
        for method in service.methods:
            yield f"rpc {method.full_name} {method.input_type.full_name} -> {method.output_type.full_name}"


def lines_of_message(message: descriptor.Descriptor) -> Iterator[str]:
    for field in message.fields:
        named = field.message_type or field.enum_type
        label = "repeated " if field.is_repeated else ""
        kind = named.full_name if named else f"type {field.type}"
        yield f"field {message.full_name} {field.number} {field.name} {label}{kind}"
    for nested in message.nested_types:
        yield from lines_of_message(nested)
    for enum in message.enum_types:
        yield from lines_of_enum(enum)


def lines_of_enum(enum: descriptor.EnumDescriptor) -> Iterator[str]:
    for value in enum.values:
        yield f"value {enum.full_name} {value.number} {value.name}"


def test_nothing_that_was_published_changed_or_is_gone() -> None:
    missing = sorted(set(FIELDS.read_text().splitlines()) - set(published()))
    assert missing == []


def step_request() -> simulator_pb2.StepRequest:
    return simulator_pb2.StepRequest(
        session_id="s",
        env_ids=[2, 0],
        actions=to_tensor(np.float32([[0.5, -1], [0, 0.25]])),
        expected_step=[3, 4],
        observations=["rgb"],
        sampler_calls=2,
        context=simulator_pb2.RequestContext(request_id="r", client_id="c"),
    )


def step_reply() -> simulator_pb2.StepReply:
    return simulator_pb2.StepReply(
        reward=to_tensor(np.float32([1.5, 0])),
        terminated=to_tensor(np.array([True, False])),
        truncated=to_tensor(np.array([False, False])),
        success=to_tensor(np.array([True, False])),
        observations={"rgb": to_tensor(np.arange(24, dtype=np.uint8).reshape(2, 1, 2, 2, 3))},
        step_index=[4, 5],
        row_status=[simulator_pb2.RowStatus(), simulator_pb2.RowStatus(code=15, reason="NON_FINITE")],
        replayed=True,
    )


def test_messages_of_the_first_contract_are_read_and_written_alike() -> None:
    request = simulator_pb2.StepRequest.FromString((HERE / "step_request.bin").read_bytes())
    assert request == step_request()
    assert request.SerializeToString(deterministic=True) == (HERE / "step_request.bin").read_bytes()
    reply = simulator_pb2.StepReply.FromString((HERE / "step_reply.bin").read_bytes())
    assert reply == step_reply()
    assert reply.SerializeToString(deterministic=True) == (HERE / "step_reply.bin").read_bytes()
    np.testing.assert_array_equal(from_tensor(reply.reward), np.float32([1.5, 0]))


def test_fields_of_a_newer_server_are_passed_over() -> None:
    newer = step_reply().SerializeToString() + b"\xfa\x3e\x03new"  # field 1007, text
    assert simulator_pb2.StepReply.FromString(newer).step_index == [4, 5]


def main() -> None:
    """Adds what is new to the record; refuses when something published changed."""
    old = FIELDS.read_text().splitlines() if FIELDS.exists() else []
    gone = sorted(set(old) - set(published()))
    if gone:
        raise SystemExit("published, but changed or gone:\n" + "\n".join(gone))
    FIELDS.write_text("\n".join(published()) + "\n")
    for name, message in (("step_request", step_request()), ("step_reply", step_reply())):
        path = HERE / f"{name}.bin"
        if not path.exists():
            path.write_bytes(message.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
