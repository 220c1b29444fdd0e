"""Files of ours in the public Python readers, and theirs in ours.

Run by CTest: cross_check.py PATH_OF_io_cross_check
"""

import hashlib
import io
import json
import math
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
import zstandard
from PIL import Image, ImageSequence
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

NAMES = {
    "uint8": "u8", "uint16": "u16", "int32": "i32", "int64": "i64", "float16": "f16",
    "bfloat16": "bf16", "float32": "f32", "float64": "f64", "bool": "bool", "int8": "i8",
    "int16": "i16", "uint32": "u32", "uint64": "u64",
}  # fmt: skip


def run(tool: str, *arguments: object, fails: bool = False) -> str:
    done = subprocess.run([tool, *map(str, arguments)], check=False, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, (arguments, done.stdout, done.stderr)
    return done.stderr if fails else done.stdout


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def expected_lines(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    lines = [f"{key}={value}" for key, value in sorted(metadata.items())]
    for name, tensor in sorted(tensors.items()):
        dtype = NAMES[str(tensor.dtype).removeprefix("torch.")]
        data = tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        lines.append(f"{name} {dtype} {list(tensor.shape)} {sha256(data)}")
    return "".join(line + "\n" for line in lines)


def check_our_tensors(folder: Path) -> None:
    path = folder / "all.safetensors"
    plain = path.read_bytes()
    assert zstandard.ZstdDecompressor().decompress((folder / "all.safetensors.zst").read_bytes()) == plain
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt", 'quote"': "tab\t é"}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert len(tensors) == 15
    for name, tensor in tensors.items():
        if name in NAMES.values():
            assert NAMES[str(tensor.dtype).removeprefix("torch.")] == name
            assert tensor.shape == (3, 5)
    assert tensors["scalar"].item() == 2.5
    assert tensors["scalar"].shape == ()
    assert tensors["empty"].shape == (0, 4)
    assert tensors["i32"][0, 0].item() == 0x01000100
    assert tensors["bool"].view(-1)[:4].tolist() == [False, True, False, True]
    header_bytes = struct.unpack("<Q", plain[:8])[0]
    assert header_bytes % 8 == 0
    entries = json.loads(plain[8 : 8 + header_bytes])
    for name, entry in entries.items():
        if name in tensors:
            assert entry["data_offsets"][0] % tensors[name].element_size() == 0, name


def check_their_tensors(tool: str, folder: Path) -> None:
    torch.manual_seed(0)
    bits = torch.randint(0, 256, (4, 6, 8), dtype=torch.uint8)
    tensors = {f"layer.{name}.é": bits.clone().view(getattr(torch, name)) for name in NAMES if name != "bool"}
    tensors["mask"] = bits > 100
    tensors["scalar"] = torch.tensor(1.5)
    tensors["empty"] = torch.zeros(0, 3)
    metadata = {"format": "pt", "note": 'é \\ "'}
    data = safetensors.torch.save(tensors, metadata)
    streamed = io.BytesIO()
    with zstandard.ZstdCompressor(level=5).stream_writer(streamed, closefd=False) as writer:
        for start in range(0, len(data), 1000):
            writer.write(data[start : start + 1000])
    half = len(data) // 2
    compress = zstandard.ZstdCompressor(level=19).compress
    for name, content in {
        "plain.safetensors": data,
        "streamed.safetensors.zst": streamed.getvalue(),
        "frames.safetensors.zst": compress(data[:half]) + compress(data[half:]),
    }.items():
        (folder / name).write_bytes(content)
        assert run(tool, "tensors", folder / name) == expected_lines(tensors, metadata), name
    safetensors.numpy.save_file({}, folder / "none.safetensors")
    assert run(tool, "tensors", folder / "none.safetensors") == ""
    (folder / "cut.safetensors").write_bytes(data[:-1])
    assert "INVALID_ARGUMENT" in run(tool, "tensors", folder / "cut.safetensors", fails=True)
    float8 = {"w": torch.zeros(4, dtype=torch.float8_e4m3fn)}
    safetensors.torch.save_file(float8, folder / "float8.safetensors")
    assert "'w' has dtype 'F8_E4M3'" in run(tool, "tensors", folder / "float8.safetensors", fails=True)


def check_our_images(folder: Path) -> None:
    noise = Image.open(folder / "noise.png")
    assert noise.mode == "RGB"
    assert noise.size == (33, 17)
    depth = np.array(Image.open(folder / "depth.png"))
    assert depth.tolist() == (np.arange(12).reshape(3, 4) * 5000).tolist()
    exact = Image.open(folder / "exact.gif")
    assert exact.n_frames == 5
    assert exact.info["duration"] == 80
    assert exact.info["loop"] == 0
    first = np.array(exact.convert("RGB"))
    assert (first == np.array(Image.open(folder / "exact0.png"))).all()
    rows = sorted(folder.glob("row*.gif"))
    assert len(rows) > 30
    for path in rows:
        with Image.open(path) as row:
            row.load()
            assert row.size[1] == 1
            assert path.name == f"row{row.size[0]}.gif"
    smooth = [
        np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(Image.open(folder / "smooth.gif"))
    ]
    want = [np.array(Image.open(folder / f"smooth{i}.png")) for i in range(4)]
    mse = float(((np.stack(smooth).astype(float) - np.stack(want)) ** 2).mean())
    psnr_db = 10 * math.log10(255**2 / mse)
    assert psnr_db > 33, psnr_db


def check_their_images(tool: str, folder: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (13, 21, 3), dtype=np.uint8)
    image = Image.fromarray(rgb)
    palette = image.quantize(200)
    grey = image.convert("L")
    transparent = image.convert("RGBA")
    transparent.putalpha(255)
    cases = {
        "rgb": image,
        "palette": palette,
        "grey": grey,
        "one_bit": image.convert("1"),
        "alpha": transparent,
    }
    for name, case in cases.items():
        path = folder / f"their_{name}.png"
        case.save(path)
        pixels = np.array(case.convert("RGB")).tobytes()
        assert run(tool, "png", path) == f"21 13 {sha256(pixels)}\n", name


def check_our_events(folder: Path) -> None:
    events = EventAccumulator(str(folder / "events"), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    losses = events.Scalars("train/loss")
    assert [event.step for event in losses] == list(range(20))
    assert all(abs(event.value - 1 / (1 + event.step)) < 1e-7 for event in losses)
    assert math.isnan(events.Scalars("nan")[0].value)
    assert events.Scalars("nan")[0].step == 1 << 40
    frames = events.Images("frame")
    assert [event.step for event in frames] == [0, 10]
    assert (frames[0].width, frames[0].height) == (33, 17)
    picture = np.array(Image.open(io.BytesIO(frames[0].encoded_image_string)))
    assert (picture == np.array(Image.open(folder / "noise.png"))).all()


def main() -> None:
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(tool, "write", folder)
        check_our_tensors(folder)
        check_their_tensors(tool, folder)
        check_our_images(folder)
        check_their_images(tool, folder)
        check_our_events(folder)
    print("cross-check passed")


if __name__ == "__main__":
    main()
