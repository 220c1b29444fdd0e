"""Episode files survive the round trip, and damaged ones are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import zstandard
from conftest import DATA
from gwm.episode import (
    FORMAT,
    Episode,
    EpisodeError,
    decode_safetensors,
    encode_safetensors,
    find_episodes,
    read_episode,
    write_episode,
)


def make_episode(rows: int = 3, views: int = 2) -> Episode:
    generator = np.random.default_rng(7)
    return Episode(
        rgb=generator.integers(0, 256, (rows, views, 4, 5, 3), dtype=np.uint8),
        depth_mm=generator.integers(0, 65536, (rows, views, 4, 5)).astype(np.uint16),
        intrinsics=generator.normal(size=(views, 3, 3)).astype(np.float32),
        world_from_cam=generator.normal(size=(views, 4, 4)).astype(np.float32),
        action=generator.uniform(-1, 1, (rows, 4)).astype(np.float32),
        reward=generator.normal(size=rows).astype(np.float32),
        terminated=np.zeros(rows, np.uint8),
        success=np.ones(rows, np.uint8),
        state=generator.normal(size=(rows, 39)).astype(np.float32),
        metadata={"task": "t", "kind": "noisy", "seed": "5"},
    )


@pytest.mark.parametrize("name", ["a.safetensors", "a.safetensors.zst"])
def test_an_episode_comes_back_bit_for_bit(tmp_path: Path, name: str) -> None:
    episode = make_episode()
    write_episode(tmp_path / name, episode)
    back = read_episode(tmp_path / name)
    for key, value in episode.tensors().items():
        np.testing.assert_array_equal(getattr(back, key), value)
    assert back.metadata == {**episode.metadata, "format": FORMAT}
    assert (len(back), back.task, back.kind) == (3, "t", "noisy")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_other_readers_can_read_it(tmp_path: Path) -> None:
    episode = replace(make_episode(), state=None)
    write_episode(tmp_path / "a.safetensors", episode)
    tensors = safetensors.numpy.load_file(tmp_path / "a.safetensors")
    assert set(tensors) == set(episode.tensors())
    np.testing.assert_array_equal(tensors["rgb"], episode.rgb)


def test_published_files_are_written_again_with_the_same_content(tmp_path: Path) -> None:
    source = DATA / "episodes" / "plate-slide-v3" / "expert_004.safetensors.zst"
    episode = read_episode(source)
    write_episode(tmp_path / "copy.safetensors.zst", episode)
    copied = (
        zstandard.ZstdDecompressor().stream_reader((tmp_path / "copy.safetensors.zst").read_bytes()).read()
    )
    original = zstandard.ZstdDecompressor().stream_reader(source.read_bytes()).read()
    tensors, metadata = decode_safetensors(copied, "copy")
    expected, expected_metadata = decode_safetensors(original, "original")
    assert metadata == expected_metadata
    assert {key: value.dtype for key, value in tensors.items()} == {k: v.dtype for k, v in expected.items()}
    for key, value in expected.items():
        np.testing.assert_array_equal(tensors[key], value)


def test_a_tensor_that_the_format_does_not_know_is_ignored(tmp_path: Path) -> None:
    tensors = {**make_episode().tensors(), "note": np.zeros(3, np.int64)}
    (tmp_path / "a.safetensors").write_bytes(encode_safetensors(tensors, {"format": FORMAT}))
    assert len(read_episode(tmp_path / "a.safetensors")) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": np.zeros(2, np.float32)}, r"reward has shape \(2,\); expected \(3,\)"),
        ({"depth_mm": np.zeros((3, 1, 4, 5), np.uint16)}, "depth_mm has shape"),
        ({"action": np.zeros((4, 2), np.float32)}, "action has 4 rows; expected 3"),
        ({"rgb": np.zeros((3, 2, 4, 5, 4), np.uint8)}, "rgb has shape"),
        ({"metadata": {"format": "gwm-episode-9"}}, "format is 'gwm-episode-9'"),
    ],
)
def test_an_inconsistent_episode_is_not_written(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(EpisodeError, match=message):
        write_episode(tmp_path / "a.safetensors", replace(make_episode(), **change))
    assert list(tmp_path.iterdir()) == []


def damaged_files() -> dict[str, bytes]:
    good = encode_safetensors(make_episode().tensors(), {"format": FORMAT})
    header_bytes = int.from_bytes(good[:8], "little")
    without_reward = {k: v for k, v in make_episode().tensors().items() if k != "reward"}
    wide = {**make_episode().tensors(), "reward": np.zeros(3, np.float64)}
    return {
        "empty": b"",
        "header size beyond the file": (1 << 40).to_bytes(8, "little") + good[8:],
        "header is no JSON": good[:8] + b"x" * header_bytes + good[8 + header_bytes :],
        "header is a list": (2).to_bytes(8, "little") + b"[]",
        "data cut off": good[:-1],
        "no metadata": encode_safetensors(make_episode().tensors(), {}),
        "tensor missing": encode_safetensors(without_reward, {"format": FORMAT}),
        "dtype wrong": encode_safetensors(wide, {"format": FORMAT}),
        "offsets overlap nothing": good.replace(b'"data_offsets":[0,', b'"data_offsets":[9,', 1),
        "shape negative": good.replace(b'"shape":[3,4]', b'"shape":[3,-4]'.ljust(13), 1),
    }


@pytest.mark.parametrize("damage", damaged_files())
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(damaged_files()[damage])
    with pytest.raises(EpisodeError, match=r"bad\.safetensors"):
        read_episode(path)


def test_a_damaged_compressed_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors.zst"
    write_episode(path, make_episode())
    payload = bytearray(path.read_bytes())
    payload[len(payload) // 2] ^= 0xFF
    path.write_bytes(bytes(payload))
    with pytest.raises(EpisodeError, match=r"bad\.safetensors\.zst"):
        read_episode(path)


def test_finds_the_episodes_of_a_tree(tmp_path: Path) -> None:
    for name in ("b/two.safetensors", "a/one.safetensors.zst"):
        write_episode(tmp_path / name, make_episode())
    (tmp_path / "a" / "notes.txt").write_text("no episode")
    found = find_episodes(tmp_path)
    assert [path.name for path in found] == ["one.safetensors.zst", "two.safetensors"]
    assert find_episodes(found[0]) == [found[0]]
