"""Pictures, depths and intrinsics at another size; `size` is (width, height), None leaves them alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gwm.dataset.extras import require

Array = npt.NDArray[Any]
Size = tuple[int, int] | None


def resize_frame(frame: Array, size: Size) -> Array:
    """u8 [H, W, 3]: means over areas."""
    if size is None or size == (frame.shape[1], frame.shape[0]):
        return frame
    image: Any = require("PIL.Image")
    return np.asarray(image.fromarray(frame).resize(size, image.Resampling.BOX))


def resize_rgb(rgb: Array, size: Size) -> Array:
    """u8 [T, H, W, 3], frame by frame."""
    return rgb if size is None else np.stack([resize_frame(frame, size) for frame in rgb])


def resize_depth(depth: Array, size: Size) -> Array:
    """[T, H, W]: the nearest pixel; means would invent surfaces between near and far."""
    if size is None:
        return depth
    height, width = depth.shape[1:]
    rows = ((np.arange(size[1]) + 0.5) * height / size[1]).astype(int)
    columns = ((np.arange(size[0]) + 0.5) * width / size[0]).astype(int)
    return depth[:, rows][:, :, columns]


def scale_intrinsics(matrix: Array, from_size: tuple[int, int], size: Size) -> Array:
    """[3, 3]; pixel centres at +0.5, so focal lengths and centres scale alike."""
    if size is None:
        return matrix
    return np.diag([size[0] / from_size[0], size[1] / from_size[1], 1]) @ matrix
