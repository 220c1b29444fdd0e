"""Tensors survive the wire, and malformed ones are named."""

from __future__ import annotations

import numpy as np
import pytest
from gwm._generated import tensor_pb2
from gwm.wire import TensorError, from_tensor, numpy_dtype, to_tensor


@pytest.mark.parametrize("dtype", ["u1", "i4", "i8", "f2", "f4", "?", "u2"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3), (1, 2, 3, 4)])
def test_arrays_come_back_bit_for_bit(dtype: str, shape: tuple[int, ...]) -> None:
    values = (np.random.default_rng(1).uniform(0, 2, shape) * 100).astype(dtype)
    back = from_tensor(to_tensor(values))
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back, values)
    back[...] = 0  # writable


def test_big_endian_and_strided_arrays_are_sent_little_endian_and_dense() -> None:
    values = np.arange(12, dtype=">f4").reshape(3, 4)[:, ::2]
    np.testing.assert_array_equal(from_tensor(to_tensor(values)), values)


def test_bfloat16_becomes_float32() -> None:
    tensor = tensor_pb2.Tensor(dtype=tensor_pb2.DTYPE_BF16, shape=[2], data=b"\x80\x3f\x00\xc0")
    np.testing.assert_array_equal(from_tensor(tensor), np.array([1.0, -2.0], np.float32))
    assert numpy_dtype(tensor_pb2.DTYPE_BF16) == np.float32


def test_a_dtype_without_counterpart_is_refused() -> None:
    with pytest.raises(TensorError, match="float64"):
        to_tensor(np.zeros(2))


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (tensor_pb2.Tensor(), "dtype is UNSPECIFIED"),
        (tensor_pb2.Tensor(dtype=99), "dtype is 99"),  # type: ignore[arg-type]
        (tensor_pb2.Tensor(dtype=tensor_pb2.DTYPE_U8, shape=[-1]), "every dimension must be >= 0"),
        (
            tensor_pb2.Tensor(dtype=tensor_pb2.DTYPE_F32, shape=[3], data=b"12"),
            "data has 2 bytes; F32 of shape",
        ),
    ],
)
def test_a_malformed_tensor_is_named(tensor: tensor_pb2.Tensor, message: str) -> None:
    with pytest.raises(TensorError, match=message):
        from_tensor(tensor)
