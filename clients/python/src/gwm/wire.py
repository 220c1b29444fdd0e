"""Tensors of the wire (dtype, shape, little-endian bytes) to numpy arrays and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gwm._generated import tensor_pb2

Array = npt.NDArray[Any]

_NUMPY_OF: dict[tensor_pb2.DType, np.dtype[Any]] = {
    tensor_pb2.DTYPE_U8: np.dtype("u1"),
    tensor_pb2.DTYPE_I32: np.dtype("<i4"),
    tensor_pb2.DTYPE_I64: np.dtype("<i8"),
    tensor_pb2.DTYPE_F16: np.dtype("<f2"),
    tensor_pb2.DTYPE_BF16: np.dtype("<u2"),
    tensor_pb2.DTYPE_F32: np.dtype("<f4"),
    tensor_pb2.DTYPE_BOOL: np.dtype("?"),
    tensor_pb2.DTYPE_U16: np.dtype("<u2"),
}
_WIRE_OF: dict[np.dtype[Any], tensor_pb2.DType] = {
    dtype: code for code, dtype in _NUMPY_OF.items() if code != tensor_pb2.DTYPE_BF16
}


class TensorError(ValueError):
    """A tensor whose dtype, shape and bytes contradict each other, or do not fit what is asked for."""


def dtype_name(code: int) -> str:
    """1 -> "U8"; a number that is no DType comes back as it is."""
    try:
        return str(tensor_pb2.DType.Name(code)).removeprefix("DTYPE_")
    except ValueError:
        return str(code)


def numpy_dtype(code: tensor_pb2.DType) -> np.dtype[Any]:
    """The numpy dtype that `from_tensor` gives for a DType (float32 for BF16). Raises TensorError."""
    if code == tensor_pb2.DTYPE_BF16:
        return np.dtype("<f4")
    if code not in _NUMPY_OF:
        raise TensorError(f"dtype is {dtype_name(code)}; allowed are {', '.join(map(dtype_name, _NUMPY_OF))}")
    return _NUMPY_OF[code]


def to_tensor(value: Any, dtype: npt.DTypeLike | None = None) -> tensor_pb2.Tensor:
    """numpy -> Tensor, cast to `dtype` first when given. Raises TensorError for other dtypes."""
    array = np.asarray(value, dtype)
    code = _WIRE_OF.get(array.dtype.newbyteorder("<"))
    if code is None:
        raise TensorError(
            f"numpy dtype {array.dtype} has no counterpart on the wire; cast it, for example to float32"
        )
    little = np.ascontiguousarray(array, _NUMPY_OF[code])
    return tensor_pb2.Tensor(dtype=code, shape=array.shape, data=little.tobytes())


def from_tensor(tensor: tensor_pb2.Tensor) -> Array:
    """Tensor -> writable numpy array (BF16 becomes float32). Raises TensorError when it is malformed."""
    if tensor.dtype not in _NUMPY_OF:
        raise TensorError(
            f"dtype is {dtype_name(tensor.dtype)}; allowed are {', '.join(map(dtype_name, _NUMPY_OF))}"
        )
    dtype = _NUMPY_OF[tensor.dtype]
    shape = tuple(tensor.shape)
    if any(length < 0 for length in shape):
        raise TensorError(f"shape is {list(shape)}; every dimension must be >= 0")
    expected = math.prod(shape) * dtype.itemsize
    if len(tensor.data) != expected:
        name = dtype_name(tensor.dtype)
        raise TensorError(
            f"data has {len(tensor.data)} bytes; {name} of shape {list(shape)} takes {expected}"
        )
    flat = np.frombuffer(tensor.data, dtype)
    if tensor.dtype == tensor_pb2.DTYPE_BF16:
        return (flat.astype("<u4") << 16).view("<f4").reshape(shape)
    if tensor.dtype == tensor_pb2.DTYPE_BOOL:
        return (np.frombuffer(tensor.data, np.uint8) != 0).reshape(shape)
    return flat.reshape(shape).copy()


def from_tensor_map(tensors: Mapping[str, tensor_pb2.Tensor]) -> dict[str, Array]:
    return {name: from_tensor(tensor) for name, tensor in tensors.items()}
