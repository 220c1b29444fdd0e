"""What callers say about images, as fields of requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gwm._generated import scene_pb2, tensor_pb2
from gwm.types import Camera

_OUTPUTS = {
    "rgb": scene_pb2.RENDER_OUTPUT_RGB,
    "depth": scene_pb2.RENDER_OUTPUT_DEPTH,
    "alpha": scene_pb2.RENDER_OUTPUT_ALPHA,
    "gaussians": scene_pb2.RENDER_OUTPUT_GAUSSIANS,
}
_RGB_DTYPES = {"u8": tensor_pb2.DTYPE_U8, "f32": tensor_pb2.DTYPE_F32}


def render_fields(cameras: Sequence[Camera], outputs: Sequence[str], rgb_dtype: str) -> dict[str, Any]:
    """The fields that RenderRequest and DecodeRequest share. Raises ValueError for unknown names."""
    for name in outputs:
        if name not in _OUTPUTS:
            raise ValueError(f"unknown output {name!r}; allowed are {', '.join(_OUTPUTS)}")
    if rgb_dtype not in _RGB_DTYPES:
        raise ValueError(f"rgb_dtype is {rgb_dtype!r}; allowed are {', '.join(_RGB_DTYPES)}")
    return {
        "cameras": [camera.to_proto() for camera in cameras],
        "outputs": [_OUTPUTS[name] for name in outputs],
        "rgb_dtype": _RGB_DTYPES[rgb_dtype],
    }
