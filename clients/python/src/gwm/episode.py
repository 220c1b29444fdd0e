"""Episode files: `.safetensors` or `.safetensors.zst`, metadata `format=gwm-episode-1`.

Row 0 is the reset frame (its action is zero), row t the result of action t. Shapes: T rows, V views, H x W
pixels, A action channels, S state channels.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

Array = npt.NDArray[Any]

FORMAT = "gwm-episode-1"
MAX_DEPTH_MM = 65535
# A refusal limit for decompression: 8192 rows of four 128x128 RGB-D views.
MAX_FILE_BYTES = 4 << 30
_ZSTD_LEVEL = 12
_MAX_HEADER_BYTES = 16 << 20

# Tensor -> (dtype, number of axes); the last column says whether a file must have it.
_LAYOUT: dict[str, tuple[str, int, bool]] = {
    "rgb": ("U8", 5, True),
    "depth_mm": ("U16", 4, True),
    "intrinsics": ("F32", 3, True),
    "world_from_cam": ("F32", 3, True),
    "action": ("F32", 2, True),
    "reward": ("F32", 1, True),
    "terminated": ("U8", 1, True),
    "success": ("U8", 1, True),
    "state": ("F32", 2, False),
}
_DTYPES: dict[str, np.dtype[Any]] = {
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "BOOL": np.dtype("?"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class EpisodeError(ValueError):
    """A file that is no valid episode; the message names file, field, value and what is allowed."""


@dataclass
class Episode:
    """One recorded episode; see the module's header for the axes."""

    rgb: Array  # u8 [T, V, H, W, 3]
    depth_mm: Array  # u16 [T, V, H, W], z-depth; 0 = nothing hit
    intrinsics: Array  # f32 [V, 3, 3], pixels, pixel centres at +0.5
    world_from_cam: Array  # f32 [V, 4, 4], OpenCV axes
    action: Array  # f32 [T, A], in [-1, 1]; row 0 is zero
    reward: Array  # f32 [T]
    terminated: Array  # u8 [T]
    success: Array  # u8 [T]
    state: Array | None = None  # f32 [T, S], the simulator's own observation
    metadata: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of rows T, the reset row included."""
        return int(self.rgb.shape[0])

    @property
    def task(self) -> str:
        return self.metadata.get("task", "")

    @property
    def kind(self) -> str:
        """What collected it: "expert", "noisy", "random", or another policy."""
        return self.metadata.get("kind", "")

    @property
    def total_reward(self) -> float:
        return float(self.reward.sum())

    def tensors(self) -> dict[str, Array]:
        """The tensors of the file by name, in the file's dtypes."""
        named = {name: getattr(self, name) for name in _LAYOUT}
        return {
            name: np.ascontiguousarray(value, _DTYPES[_LAYOUT[name][0]])
            for name, value in named.items()
            if value is not None
        }


def write_episode(path: str | os.PathLike[str], episode: Episode) -> None:
    """Writes `path` atomically: readers see the whole file or none. Compresses when the name ends in .zst.

    Raises EpisodeError when shapes disagree or the metadata names another format.
    """
    target = Path(path)
    tensors = episode.tensors()
    metadata = {"format": FORMAT, **{key: str(value) for key, value in episode.metadata.items()}}
    _validate(str(target), tensors, metadata)
    payload = encode_safetensors(tensors, metadata)
    if target.suffix == ".zst":
        payload = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compress(payload)
    write_atomically(target, payload)


def read_episode(path: str | os.PathLike[str]) -> Episode:
    """Reads and checks an episode file; tensors that the format does not know are ignored.

    Raises EpisodeError for a file that is damaged or no episode, OSError when it cannot be read.
    """
    source = Path(path)
    payload = source.read_bytes()
    if source.suffix == ".zst":
        payload = _decompress(str(source), payload)
    tensors, metadata = decode_safetensors(payload, str(source))
    _validate(str(source), tensors, metadata)
    known = {name: tensors[name] for name in _LAYOUT if name in tensors}
    return Episode(**known, metadata=metadata)


def find_episodes(root: str | os.PathLike[str]) -> list[Path]:
    """All episode files below `root`, sorted; `root` may be one file itself."""
    base = Path(root)
    if base.is_file():
        return [base]
    return sorted(path for pattern in ("*.safetensors", "*.safetensors.zst") for path in base.rglob(pattern))


def write_atomically(target: Path, payload: bytes) -> None:
    """Writes beside `target`, flushes to disk, renames."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(payload)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def encode_safetensors(tensors: dict[str, Array], metadata: dict[str, str]) -> bytes:
    """The safetensors container: u64 header size, JSON header padded to 8 bytes, tensor bytes."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    chunks: list[bytes] = []
    offset = 0
    for name, value in sorted(tensors.items()):
        chunk = value.tobytes()
        header[name] = {
            "dtype": _NAMES[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [offset, offset + len(chunk)],
        }
        chunks.append(chunk)
        offset += len(chunk)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(chunks)


def decode_safetensors(payload: bytes, name: str) -> tuple[dict[str, Array], dict[str, str]]:
    """Inverse of encode_safetensors; tensors of dtypes without a numpy twin (such as BF16) are left out."""
    if len(payload) < 8:
        raise EpisodeError(f"{name}: {len(payload)} bytes, too short for a safetensors file")
    size = int.from_bytes(payload[:8], "little")
    if size > min(len(payload) - 8, _MAX_HEADER_BYTES):
        raise EpisodeError(f"{name}: header of {size} bytes in a file of {len(payload)} bytes")
    try:
        header = json.loads(payload[8 : 8 + size])
    except ValueError as error:
        raise EpisodeError(f"{name}: header is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise EpisodeError(f"{name}: header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise EpisodeError(f"{name}: __metadata__ is not a JSON object")
    data = memoryview(payload)[8 + size :]
    tensors = {}
    for key, entry in header.items():
        value = _decode_tensor(f"{name}: tensor {key!r}", entry, data)
        if value is not None:
            tensors[key] = value
    return tensors, {str(key): str(value) for key, value in metadata.items()}


def _decode_tensor(where: str, entry: Any, data: memoryview) -> Array | None:
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise EpisodeError(f"{where}: entry lacks dtype, shape or data_offsets") from error
    if dtype not in _DTYPES:
        return None
    sizes_valid = isinstance(shape, list) and all(isinstance(n, int) and n >= 0 for n in shape)
    if not sizes_valid or not isinstance(begin, int) or not isinstance(end, int):
        raise EpisodeError(f"{where}: shape {shape} or offsets are no non-negative integers")
    count = 1
    for length in shape:
        count *= length
    if not 0 <= begin <= end <= len(data) or end - begin != count * _DTYPES[dtype].itemsize:
        raise EpisodeError(
            f"{where}: bytes [{begin}, {end}) of {len(data)} do not hold {dtype} of shape {shape}"
        )
    return np.frombuffer(data[begin:end], _DTYPES[dtype]).reshape(shape)


def _decompress(name: str, payload: bytes) -> bytes:
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(payload)
        data = reader.read(MAX_FILE_BYTES + 1)
    except zstandard.ZstdError as error:
        raise EpisodeError(f"{name}: damaged zstd stream ({error})") from error
    if len(data) > MAX_FILE_BYTES:
        raise EpisodeError(f"{name}: more than {MAX_FILE_BYTES} bytes after decompression")
    return bytes(data)


def _validate(name: str, tensors: dict[str, Array], metadata: dict[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise EpisodeError(f"{name}: metadata format is {metadata.get('format')!r}; expected {FORMAT!r}")
    for key, (dtype, axes, required) in _LAYOUT.items():
        if key not in tensors:
            if required:
                raise EpisodeError(f"{name}: tensor {key!r} is missing")
            continue
        value = tensors[key]
        if value.dtype != _DTYPES[dtype] or value.ndim != axes:
            raise EpisodeError(
                f"{name}: {key} is {value.dtype} with {value.ndim} axes; expected {dtype} with {axes}"
            )
    rows, views, height, width, channels = tensors["rgb"].shape
    expected: dict[str, tuple[int, ...]] = {
        "depth_mm": (rows, views, height, width),
        "intrinsics": (views, 3, 3),
        "world_from_cam": (views, 4, 4),
        "reward": (rows,),
        "terminated": (rows,),
        "success": (rows,),
    }
    if rows < 1 or views < 1 or channels != 3:
        raise EpisodeError(f"{name}: rgb has shape {tensors['rgb'].shape}; expected [T>=1, V>=1, H, W, 3]")
    for key, shape in expected.items():
        if tensors[key].shape != shape:
            raise EpisodeError(f"{name}: {key} has shape {tensors[key].shape}; expected {shape}")
    for key in ("action", "state"):
        if key in tensors and tensors[key].shape[0] != rows:
            raise EpisodeError(f"{name}: {key} has {tensors[key].shape[0]} rows; expected {rows}")
