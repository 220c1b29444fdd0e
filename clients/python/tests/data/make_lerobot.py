"""Writes the LeRobot fixtures beside it; needs `pip install lerobot==0.4.4` in an environment of its own.

    python make_lerobot.py OUT

`lerobot_v30` is written by lerobot 0.4.4 itself: 3 episodes, two cameras whose videos are split over files
differently, depth of camera `top`. `lerobot_v21` has the layout that version 0.4.4 converts from (its
src/lerobot/datasets/v30/convert_dataset_v21_to_v30.py), one video per episode and camera.

The picture of frame t is grey of level 40 + 10 t (`top`: the left half only), so that a wrong frame shows.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
from lerobot.datasets.lerobot_dataset import LeRobotDataset

FPS, SIZE, ACTIONS, STATES = 10, 64, 3, 2
LENGTHS = (10, 8, 12)
TASKS = ("Push the block.", "Lift the block.", "Push the block.")
NUMBERS = {
    "observation.state": {"dtype": "float32", "shape": (STATES,), "names": ["x", "y"]},
    "action": {"dtype": "float32", "shape": (ACTIONS,), "names": ["dx", "dy", "grip"]},
    "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
    "next.done": {"dtype": "bool", "shape": (1,), "names": None},
    "next.success": {"dtype": "bool", "shape": (1,), "names": None},
}
VIDEO = {"dtype": "video", "shape": (SIZE, SIZE, 3), "names": ["height", "width", "channels"]}


def numbers(episode: int, t: int) -> dict[str, Any]:
    last = t == LENGTHS[episode] - 1
    action = np.array([t / 16, -episode / 4, 0.5 if last else -0.5], np.float32)
    return {
        "observation.state": np.array([t, episode], np.float32),
        "action": action,
        "next.reward": np.array([t * 0.5], np.float32),
        "next.done": np.array([last]),
        "next.success": np.array([last and episode != 1]),
    }


def picture(t: int, camera: str, episode: int) -> np.ndarray:
    image = np.full((SIZE, SIZE, 3), 40 + 10 * t, np.uint8)
    if camera == "top":
        noise = np.random.default_rng(100 * episode + t).integers(0, 256, (SIZE, SIZE // 2, 3))
        image[:, SIZE // 2 :] = noise
    return image


def write_v30(root: Path) -> None:
    depth = {"dtype": "float32", "shape": (SIZE, SIZE), "names": ["height", "width"]}
    images = {f"observation.images.{camera}": VIDEO for camera in ("top", "wrist")}
    features = {**NUMBERS, **images, "observation.depth.top": depth}
    dataset = LeRobotDataset.create("gwm/fixture", FPS, features, root=root, robot_type="none")
    # Files so small that every episode of the noisy camera starts a new one, none of the plain camera does.
    dataset.meta.info["video_files_size_in_mb"] = 0.008
    for episode, length in enumerate(LENGTHS):
        for t in range(length):
            dataset.add_frame(
                {
                    **numbers(episode, t),
                    "observation.images.top": picture(t, "top", episode),
                    "observation.images.wrist": picture(t, "wrist", episode),
                    "observation.depth.top": np.full((SIZE, SIZE), 1 + t / 8, np.float32),
                    "task": TASKS[episode],
                }
            )
        dataset.save_episode()
    dataset.finalize()


def write_video(path: Path, episode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "g": "4"})
        stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, "yuv420p"
        for t in range(LENGTHS[episode]):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(t, "wrist", episode), "rgb24")))
        container.mux(stream.encode())


def write_v21(root: Path) -> None:
    (root / "meta").mkdir(parents=True)
    index, tasks = 0, sorted(set(TASKS))
    key, episodes = "observation.images.front", []
    for episode, length in enumerate(LENGTHS[:2]):
        rows = [numbers(episode, t) for t in range(length)]
        columns = {
            name: [row[name] if len(row[name]) > 1 else row[name][0] for row in rows] for name in NUMBERS
        }
        columns["timestamp"] = [np.float32(t / FPS) for t in range(length)]
        columns["frame_index"], columns["episode_index"] = list(range(length)), [episode] * length
        columns["index"] = list(range(index, index + length))
        columns["task_index"] = [tasks.index(TASKS[episode])] * length
        index += length
        data = root / f"data/chunk-000/episode_{episode:06d}.parquet"
        data.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(columns).to_parquet(data, index=False)
        video = root / f"videos/chunk-000/{key}/episode_{episode:06d}.mp4"
        write_video(video, episode)
        episodes.append({"episode_index": episode, "tasks": [TASKS[episode]], "length": length})
    write_v21_meta(root, index, tasks, episodes, key)


def write_v21_meta(root: Path, frames: int, tasks: list[str], episodes: list[dict], key: str) -> None:
    own = {"dtype": "float32", "shape": (1,), "names": None}
    integers = {
        name: {**own, "dtype": "int64"} for name in ("frame_index", "episode_index", "index", "task_index")
    }
    info = {
        "codebase_version": "v2.1",
        "robot_type": "none",
        "total_episodes": len(episodes),
        "total_frames": frames,
        "total_tasks": len(tasks),
        "total_videos": len(episodes),
        "total_chunks": 1,
        "chunks_size": 1000,
        "fps": FPS,
        "splits": {"train": f"0:{len(episodes)}"},
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "features": {**NUMBERS, key: VIDEO, "timestamp": own, **integers},
    }
    (root / "meta/info.json").write_text(json.dumps(info, indent=2))
    (root / "meta/episodes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in episodes))
    lines = [json.dumps({"task_index": i, "task": task}) + "\n" for i, task in enumerate(tasks)]
    (root / "meta/tasks.jsonl").write_text("".join(lines))
    write_v21_stats(root, key)


def write_v21_stats(root: Path, key: str) -> None:
    lines = []
    for episode, length in enumerate(LENGTHS[:2]):
        rows = [numbers(episode, t) for t in range(length)]
        stats = {name: summary(np.stack([row[name] for row in rows]).astype(float), 0) for name in NUMBERS}
        pictures = np.stack([picture(t, "wrist", episode) for t in range(length)]) / 255
        stats[key] = summary(pictures.transpose(0, 3, 1, 2), (0, 2, 3))
        lines.append(json.dumps({"episode_index": episode, "stats": stats}) + "\n")
    (root / "meta/episodes_stats.jsonl").write_text("".join(lines))


def summary(values: np.ndarray, axes: Any) -> dict[str, list]:
    kept = {"axis": axes, "keepdims": axes != 0}
    found = {"min": values.min(**kept), "max": values.max(**kept)}
    found |= {"mean": values.mean(**kept), "std": values.std(**kept)}
    return {name: (value[0] if axes != 0 else value).tolist() for name, value in found.items()} | {
        "count": [len(values)]
    }


def main() -> None:
    version = importlib.metadata.version("lerobot")
    if version != "0.4.4":
        raise SystemExit(f"lerobot is {version}; the fixtures are those of 0.4.4")
    out = Path(sys.argv[1])
    for name, write in (("lerobot_v30", write_v30), ("lerobot_v21", write_v21)):
        shutil.rmtree(out / name, ignore_errors=True)
        write(out / name)


if __name__ == "__main__":
    main()
