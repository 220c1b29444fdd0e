"""Gaussians to a 3D Gaussian Splatting `.ply`, as common viewers read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gwm.types import Gaussians


def write_ply(path: Path, cloud: Gaussians) -> None:
    """Binary little-endian, all properties float.

    Position, zero normals, SH (channel-major), logit opacity, log scale, quaternion w x y z.
    """
    count = cloud.means.shape[0]
    rest = cloud.sh[:, 1:, :].transpose(0, 2, 1).reshape(count, -1)
    names = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
    names += [f"f_rest_{index}" for index in range(rest.shape[1])]
    names += ["opacity", *(f"scale_{axis}" for axis in range(3)), *(f"rot_{axis}" for axis in range(4))]
    columns = (
        cloud.means,
        np.zeros_like(cloud.means),
        cloud.sh[:, 0, :],
        rest,
        cloud.opacity_logits.reshape(count, 1),
        cloud.log_scales,
        cloud.quats,
    )
    table = np.concatenate(columns, axis=1).astype("<f4")
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    header += [f"property float {name}" for name in names]
    path.write_bytes(("\n".join([*header, "end_header"]) + "\n").encode() + table.tobytes())
