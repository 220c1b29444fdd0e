"""Camera matrices: from JSON files, and whether they make sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gwm.dataset.finding import Finding, Place

Array = npt.NDArray[Any]

# f32 matrices of real calibrations; a transposed, scaled or mirrored rotation is far outside.
ROTATION_TOLERANCE = 1e-3
# Focal lengths in image widths or heights: 0.1 sees 157 degrees, 20 sees 3.
FOCAL_RANGE = (0.1, 20.0)


def read_intrinsics(path: Path) -> dict[str, Array]:
    """camera -> [3, 3] from {"CAMERA": 3x3 numbers or {"fx":, "fy":, "cx":, "cy":}}."""
    place, found = Place(str(path)), {}
    for camera, entry in _read_object(path).items():
        value = entry
        if isinstance(entry, dict) and {"fx", "fy", "cx", "cy"} <= set(entry):
            value = [[entry["fx"], 0, entry["cx"]], [0, entry["fy"], entry["cy"]], [0, 0, 1]]
        found[camera] = _matrix(place, camera, value, 3, "3x3 numbers, or an object with fx, fy, cx, cy")
    return found


def read_poses(path: Path) -> dict[str, Array]:
    """camera -> world_from_cam [4, 4] from {"CAMERA": 4x4 numbers}."""
    place = Place(str(path))
    return {
        camera: _matrix(place, camera, entry, 4, "4x4 numbers, row by row")
        for camera, entry in _read_object(path).items()
    }


def _read_object(path: Path) -> dict[str, Any]:
    place = Place(str(path))
    try:
        value = json.loads(path.read_text())
    except ValueError as error:
        raise place.error("file", f"not JSON ({error})", "a JSON object with one entry per camera") from error
    if not isinstance(value, dict):
        raise place.error("file", type(value).__name__, "a JSON object with one entry per camera")
    return value


def _matrix(place: Place, camera: str, value: Any, size: int, allowed: str) -> Array:
    try:
        matrix = np.array(value, np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if matrix.shape != (size, size):
        raise place.error(camera, repr(value)[:60], allowed)
    return matrix


def intrinsics_findings(place: Place, field: str, matrix: Array, width: int, height: int) -> list[Finding]:
    """At most one: what contradicts a pinhole camera that looks at width x height pixels."""
    if not np.isfinite(matrix).all():
        return [place.finding(field, _text(matrix), "finite numbers")]
    if not np.allclose(matrix[[1, 2, 2, 2, 0], [0, 0, 1, 2, 1]], [0, 0, 0, 1, 0], atol=1e-4):
        return [place.finding(field, _text(matrix), "[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]")]
    low, high = FOCAL_RANGE
    for axis, size, name in ((0, width, "width"), (1, height, "height")):
        focal, centre = float(matrix[axis, axis]), float(matrix[axis, 2])
        entry = "xy"[axis]
        if not low * size <= focal <= high * size:
            allowed = f"{low * size:g} to {high * size:g} pixels ({low:g} to {high:g} x the {name} {size})"
            return [place.finding(f"{field} f{entry}", f"{focal:g}", allowed)]
        if not 0 < centre < size:
            return [place.finding(f"{field} c{entry}", f"{centre:g}", f"between 0 and the {name} {size}")]
    return []


def pose_findings(place: Place, field: str, matrix: Array) -> list[Finding]:
    """At most one: what contradicts a rigid motion."""
    if not np.isfinite(matrix).all():
        return [place.finding(field, _text(matrix), "finite numbers")]
    if not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6):
        return [place.finding(f"{field} row 3", _text(matrix[3]), "[0, 0, 0, 1]")]
    rotation = matrix[:3, :3].astype(np.float64)
    error = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    if error > ROTATION_TOLERANCE:
        allowed = f"orthonormal: |R^T R - I| at most {ROTATION_TOLERANCE:g}"
        return [place.finding(f"{field} rotation", f"off by {error:.3g}", allowed)]
    if np.linalg.det(rotation) < 0:
        return [place.finding(f"{field} rotation", "a reflection (determinant -1)", "determinant +1")]
    return []


def _text(matrix: Array) -> str:
    return json.dumps(np.round(matrix.astype(np.float64), 4).tolist())
