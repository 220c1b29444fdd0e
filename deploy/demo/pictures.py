"""Contact sheet and animation of what was imagined beside what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gwm
import numpy as np
from gwm.episode import Episode
from gwm.types import Camera, Gaussians
from PIL import Image, ImageDraw, ImageFont

from demo.metrics import Array
from demo.rollouts import FIRST_START, camera_of, frames_at

SHEET_HORIZONS = (5, 20)
COLUMNS = ("real", "imagined", "repeat last", "novel camera")
# Along the camera's own axes: a little to the right and up, turned to nothing else.
NOVEL_OFFSET_M = (0.08, -0.05, 0.0)
GIF_STEPS, GIF_DELAY_MS = 40, 100
SCALE, MARGIN, LABEL_HEIGHT = 3, 6, 18
INK, PAPER = (32, 32, 32), (255, 255, 255)


@dataclass
class Story:
    """One rollout of one episode: frames u8 [H, W, 3] by step; step 0 is the real frame it started from."""

    name: str
    real: list[Array]
    imagined: list[Array]
    novel: dict[int, Array]
    gaussians: Gaussians  # of the last sheet horizon


def tell(client: gwm.Client, name: str, episode: Episode) -> Story:
    """Imagines the episode from its early frames on with its own actions."""
    context = client.spec().context_frames
    steps = min(GIF_STEPS, len(episode) - 1 - FIRST_START)
    camera = camera_of(episode)
    story = Story(name, [episode.rgb[FIRST_START, 0]], [], {}, _EMPTY)
    with client.create_session(seed=0, observations=["rgb"]) as session:
        start = session.reset(frames=frames_at(episode, [FIRST_START], context))
        story.imagined.append(_first_view(start.observations["rgb"]))
        for step in range(1, steps + 1):
            result = session.step(episode.action[FIRST_START + step])
            story.real.append(episode.rgb[FIRST_START + step, 0])
            story.imagined.append(_first_view(result.observations["rgb"]))
            if step in SHEET_HORIZONS:
                story.novel[step] = _look(session, camera.moved(NOVEL_OFFSET_M))
            if step == SHEET_HORIZONS[-1]:
                story.gaussians = session.render(outputs=("gaussians",)).gaussians[0]
            if result.terminated[0] or result.failed[0]:
                break
    return story


def _first_view(rgb: Array) -> Array:
    return np.asarray(rgb[0, 0])


def _look(session: gwm.Session, camera: Camera) -> Array:
    rgb = session.render(cameras=[camera]).rgb
    if rgb is None:
        raise ValueError("the server left out an image that was asked for")
    return _first_view(rgb)


_EMPTY = Gaussians(*(np.zeros((0, *shape), np.float32) for shape in ((3,), (3,), (4,), (1, 3), ())))


def contact_sheet(stories: Sequence[Story], path: Path) -> None:
    """One row per story, one group of COLUMNS per horizon."""
    height, width = (SCALE * side for side in stories[0].real[0].shape[:2])
    left, top = 150, 2 * LABEL_HEIGHT + MARGIN
    columns = len(SHEET_HORIZONS) * len(COLUMNS)
    size = (left + columns * (width + MARGIN) + MARGIN, top + len(stories) * (height + MARGIN) + MARGIN)
    sheet = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default()

    def left_of(group: int, column: int) -> int:
        return left + (group * len(COLUMNS) + column) * (width + MARGIN) + MARGIN

    for group, horizon in enumerate(SHEET_HORIZONS):
        draw.text((left_of(group, 0), MARGIN), f"{horizon} steps ahead", INK, font)
        for column, title in enumerate(COLUMNS):
            draw.text((left_of(group, column), MARGIN + LABEL_HEIGHT), title, INK, font)
    for row, story in enumerate(stories):
        y = top + row * (height + MARGIN)
        draw.text((MARGIN, y), story.name, INK, font)
        for group, horizon in enumerate(SHEET_HORIZONS):
            if horizon not in story.novel:
                continue
            cells = (story.real[horizon], story.imagined[horizon], story.real[0], story.novel[horizon])
            for column, cell in enumerate(cells):
                sheet.paste(_enlarge(cell), (left_of(group, column), y))
    sheet.save(path)


def animation(stories: Sequence[Story], path: Path) -> None:
    """Real above, imagined below, the stories side by side; loops for ever."""
    length = min(len(story.imagined) for story in stories)
    height, width = (SCALE * side for side in stories[0].real[0].shape[:2])
    font = ImageFont.load_default()
    frames = []
    for step in range(length):
        frame = Image.new(
            "RGB", (len(stories) * (width + MARGIN) + MARGIN, 2 * (height + LABEL_HEIGHT)), PAPER
        )
        draw = ImageDraw.Draw(frame)
        for row, label in enumerate(("real", "imagined")):
            top = row * (height + LABEL_HEIGHT)
            draw.text((MARGIN, top + 2), f"{label}, step {step}", INK, font)
            for column, story in enumerate(stories):
                images = story.real if row == 0 else story.imagined
                frame.paste(_enlarge(images[step]), (MARGIN + column * (width + MARGIN), top + LABEL_HEIGHT))
        frames.append(frame)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=GIF_DELAY_MS, loop=0)


def _enlarge(pixels: Array) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels).repeat(SCALE, axis=0).repeat(SCALE, axis=1))
