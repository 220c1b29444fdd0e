"""Options that are words in Python and enums on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from gwm._generated import perception_pb2, simulator_pb2, tensor_pb2

Enum = TypeVar("Enum")

AUTO_RESETS: Mapping[str, simulator_pb2.AutoReset] = {
    "none": simulator_pb2.AUTO_RESET_NONE,
    "next_step": simulator_pb2.AUTO_RESET_NEXT_STEP,
    "same_step": simulator_pb2.AUTO_RESET_SAME_STEP,
}
SAMPLERS: Mapping[str | None, simulator_pb2.SamplerKind] = {
    None: simulator_pb2.SAMPLER_KIND_UNSPECIFIED,
    "euler": simulator_pb2.SAMPLER_KIND_EULER,
    "heun": simulator_pb2.SAMPLER_KIND_HEUN,
}
POOLINGS: Mapping[str, perception_pb2.FeaturePooling] = {
    "tokens": perception_pb2.FEATURE_POOLING_TOKENS,
    "mean": perception_pb2.FEATURE_POOLING_MEAN,
    "attention": perception_pb2.FEATURE_POOLING_ATTENTION,
}
FEATURE_DTYPES: Mapping[str, tensor_pb2.DType] = {
    "f32": tensor_pb2.DTYPE_F32,
    "f16": tensor_pb2.DTYPE_F16,
    "bf16": tensor_pb2.DTYPE_BF16,
}
PRIORITIES: Mapping[str, simulator_pb2.Priority] = {
    "low": simulator_pb2.PRIORITY_LOW,
    "normal": simulator_pb2.PRIORITY_NORMAL,
    "high": simulator_pb2.PRIORITY_HIGH,
}


def choose(options: Mapping[str | None, Enum] | Mapping[str, Enum], name: str, value: str | None) -> Enum:
    """The enum of a word. Raises ValueError that lists the words."""
    try:
        return options[value]  # type: ignore[index]
    except KeyError:
        allowed = ", ".join(repr(option) for option in options)
        raise ValueError(f"{name} is {value!r}; allowed are {allowed}") from None
