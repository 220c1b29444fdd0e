"""Imagined futures of held-out episodes, over the wire: the starts of one episode share a session."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import gwm
import numpy as np
from gwm.episode import Episode
from gwm.session import Session
from gwm.types import Camera, Images, RgbdFrames

from demo.metrics import Array, HorizonMetrics

HORIZONS = (1, 5, 10, 20)
FIRST_START, START_STRIDE = 2, 5
TIMED_STEPS, WARM_UP_STEPS = 100, 10


def frames_at(episode: Episode, starts: Sequence[int], context: int) -> RgbdFrames:
    """The last `context` frames up to each start, n worlds; an early start shortens it for all."""
    length = max(1, min(context, min(starts) + 1))
    rows = [slice(start + 1 - length, start + 1) for start in starts]
    actions = None
    if length > 1:
        actions = np.stack([episode.action[start + 2 - length : start + 1] for start in starts])
    return RgbdFrames(
        rgb=np.stack([episode.rgb[row] for row in rows]),
        depth_mm=np.stack([episode.depth_mm[row] for row in rows]),
        intrinsics=episode.intrinsics,
        world_from_cam=episode.world_from_cam,
        actions=actions,
    )


def camera_of(episode: Episode) -> Camera:
    height, width = episode.rgb.shape[2:4]
    return Camera(episode.intrinsics[0], episode.world_from_cam[0], width, height)


def starts_of(episode: Episode) -> list[int]:
    """Every fifth step from step 2 that has a next frame."""
    return list(range(FIRST_START, len(episode) - 1, START_STRIDE))


def roll_out(
    session: Session, episode: Episode, starts: Sequence[int], actions: Array, context: int
) -> dict[int, tuple[list[int], Images]]:
    """Steps one environment per start through `actions` (those of an episode, by the same time index).

    Returns for each horizon the indices of the starts that reach it within the episode, and their images. A
    world that ends early stands still from then on.
    """
    rows = list(range(len(starts)))
    session.reset(rows, frames=frames_at(episode, starts, context))
    ended: set[int] = set()
    images = {}
    for step in range(1, max(HORIZONS) + 1):
        alive = [row for row in rows if row not in ended and starts[row] + step < len(episode)]
        if alive:
            chosen = np.stack([actions[starts[row] + step] for row in alive])
            result = session.step(chosen, alive, observations=[])
            stopped = result.terminated | result.truncated | result.failed
            ended.update(row for row, stop in zip(alive, stopped, strict=True) if stop)
        reached = [row for row in rows if starts[row] + step < len(episode)]
        if step in HORIZONS and reached:
            images[step] = (reached, session.render(reached, outputs=("rgb", "depth"), rgb_dtype="f32"))
    return images


@dataclass
class Evaluation:
    horizons: dict[int, HorizonMetrics] = field(
        default_factory=lambda: {horizon: HorizonMetrics() for horizon in HORIZONS}
    )
    episodes: int = 0
    rollouts: int = 0
    seconds: float = 0.0


def other_episode(episodes: Sequence[Episode], index: int) -> Episode:
    """The next episode of the same task, whose actions are the wrong ones; of any task if it is alone."""
    order = [episodes[(index + offset) % len(episodes)] for offset in range(1, len(episodes) + 1)]
    same_task = [episode for episode in order[:-1] if episode.task == episodes[index].task]
    return (same_task or order)[0]


def evaluate(
    client: gwm.Client,
    episodes: Sequence[tuple[Path, Episode]],
    budget_s: float,
    progress: Callable[[str], None],
) -> Evaluation:
    """Scores imagined frames against real ones; stops between two episodes once the budget is used up."""
    evaluation = Evaluation()
    began = time.monotonic()
    context = client.spec().context_frames
    for index, (path, episode) in enumerate(episodes):
        other = other_episode([each for _, each in episodes], index)
        if len(other) < len(episode):
            raise ValueError(f"{path}: the episode that lends it wrong actions is shorter")
        starts = starts_of(episode)
        with client.create_session(num_envs=len(starts), seed=index) as session:
            own = roll_out(session, episode, starts, episode.action, context)
            shuffled = roll_out(session, episode, starts, other.action, context)
        for horizon, (rows, images) in own.items():
            _score(evaluation.horizons[horizon], episode, starts, horizon, rows, images, shuffled[horizon][1])
        evaluation.episodes += 1
        evaluation.rollouts += len(starts)
        evaluation.seconds = time.monotonic() - began
        progress(f"evaluated {path.parent.name}/{path.name.split('.')[0]} ({index + 1}/{len(episodes)})")
        if evaluation.seconds > budget_s:
            progress(f"time budget of {budget_s:.0f} s used up: {evaluation.episodes} episodes evaluated")
            break
    return evaluation


def _score(
    metrics: HorizonMetrics,
    episode: Episode,
    starts: Sequence[int],
    horizon: int,
    rows: Sequence[int],
    images: Images,
    shuffled: Images,
) -> None:
    if images.rgb is None or images.depth is None or shuffled.rgb is None:
        raise ValueError("the server left out an image that was asked for")
    before = [starts[row] for row in rows]
    after = [start + horizon for start in before]
    metrics.add(
        rgb=images.rgb[:, 0],
        shuffled_rgb=shuffled.rgb[:, 0],
        depth_m=images.depth[:, 0],
        start=episode.rgb[before, 0],
        real=episode.rgb[after, 0],
        real_depth_mm=episode.depth_mm[after, 0],
    )


def time_steps(client: gwm.Client, episode: Episode) -> dict[str, float]:
    """One environment, one client, image in every reply: milliseconds as the client sees them."""
    context = client.spec().context_frames
    milliseconds = []
    with client.create_session(seed=0, observations=["rgb"]) as session:
        frames = frames_at(episode, [FIRST_START], context)
        session.reset(frames=frames)
        for count in range(WARM_UP_STEPS + TIMED_STEPS):
            action = episode.action[FIRST_START + 1 + count % (len(episode) - FIRST_START - 1)]
            began = time.perf_counter()
            result = session.step(action)
            if count >= WARM_UP_STEPS:
                milliseconds.append(1e3 * (time.perf_counter() - began))
            if result.terminated[0] or result.truncated[0] or result.failed[0]:
                session.reset(frames=frames)
    return {
        "steps_per_second": 1e3 * len(milliseconds) / sum(milliseconds),
        "step_ms_p50": float(np.percentile(milliseconds, 50)),
        "step_ms_p99": float(np.percentile(milliseconds, 99)),
    }
