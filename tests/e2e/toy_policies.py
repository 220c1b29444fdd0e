"""Simple policies that solve the exact little worlds: from latents [n, 1, S] to actions [n, A]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Array = np.ndarray


def unscaled(latent: Array, least: Sequence[float], greatest: Sequence[float]) -> Array:
    low, high = np.array(least), np.array(greatest)
    return low + (latent.reshape(latent.shape[0], -1) + 1) / 2 * (high - low)


def heading(angle_rad: Array) -> Array:
    return np.stack([np.cos(angle_rad), np.sin(angle_rad)], 1)


def wrapped(angle_rad: Array) -> Array:
    return np.angle(np.exp(1j * angle_rad))


def push(latent: Array) -> Array:
    """Goes around the puck to the side away from the goal, then pushes, correcting what slips aside."""
    state = unscaled(latent, [-0.92, -0.92, -0.88, -0.88, -1, -1], [0.92, 0.92, 0.88, 0.88, 1, 1])
    pusher, puck, goal = state[:, 0:2], state[:, 2:4], state[:, 4:6]
    offset = pusher - puck
    to_goal = np.arctan2(*(goal - puck).T[::-1])
    place = np.arctan2(*offset.T[::-1])
    error = wrapped(to_goal + np.pi - place)
    around = puck + 0.3 * heading(place + np.clip(error, -0.6, 0.6))
    along = heading(to_goal)
    aside = offset - (offset * along).sum(1, keepdims=True) * along
    behind = (np.abs(error) < 0.5)[:, None]
    return np.clip(np.where(behind, along - 15 * aside, 10 * (around - pusher)), -1, 1)


def steer(latent: Array) -> Array:
    """Turns towards the goal, and drives when it looks there."""
    state = unscaled(latent, [-1, -1, -np.pi, 0, -1, -1], [1, 1, np.pi, 1, 1, 1])
    wanted = np.arctan2(state[:, 5] - state[:, 1], state[:, 4] - state[:, 0])
    error = wrapped(wanted - state[:, 2])
    speed = np.where(np.abs(error) < 0.5, 0.4, 0.05)
    return np.clip(np.stack([10 * (speed - state[:, 3]), 3 * error], 1), -1, 1)


def carry(latent: Array) -> Array:
    """Reaches for the target, closes the fingers, carries it to the goal around the others while it turns."""
    low, high = [-0.9, -0.9, 0.08], [0.9, 0.9, 0.4]
    state = unscaled(
        latent,
        [*low, -1, 0, -1, -1, -np.pi, *[*low, -1, -1, -1, -1] * 4],
        [*high, 3, 3, 1, 1, np.pi, *[*high, 1, 1, 1, 1] * 4],
    )
    rows = np.arange(len(state))
    gripper, goal = state[:, :3], np.column_stack([state[:, 5:7], np.full(len(state), 0.08)])
    blocks = state[:, 8:].reshape(-1, 4, 7)
    number = np.rint(state[:, 4]).astype(int)
    target = blocks[rows, number]
    holds = np.rint(state[:, 3]) == number
    way = np.where(holds[:, None], goal, target[:, :3]) - gripper
    towards = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 0.1)
    for other in range(4):  # sideways past the blocks that are in the way
        gap = blocks[:, other, :2] - gripper[:, :2]
        near = holds & (number != other) & (np.linalg.norm(gap, axis=1) < 0.42)
        near &= (gap * way[:, :2]).sum(1) > 0
        side = np.where(gap[:, 0] * way[:, 1] - gap[:, 1] * way[:, 0] < 0, 1.0, -1.0)
        towards[:, :2] += np.where(near, side, 0)[:, None] * np.stack([gap[:, 1], -gap[:, 0]], 1) * 2
    yaw = 2 * np.arctan2(target[:, 6], target[:, 3])
    turn = np.clip(10 * np.tan(np.clip(wrapped(state[:, 7] - yaw), -0.5, 0.5)), -1, 1) * holds
    action = np.zeros((len(state), 10))
    action[:, :3] = towards
    action[:, 4], action[:, 6] = -turn, turn
    action[:, 9] = np.where(holds | (np.linalg.norm(target[:, :3] - gripper, axis=1) < 0.1), 1, -1)
    return np.clip(action, -1, 1)


def drive(latent: Array) -> Array:
    """Takes the lane that the next parked car leaves free, with levels of the dynamic mask alone."""
    parked = [0, -3.5] * 2
    state = unscaled(
        latent,
        [0, -3.5, -np.pi / 2, 0, -3, -1, 0, *parked],
        [100, 3.5, np.pi / 2, 12, 2, 1, 31, 100, 3.5, 100, 3.5],
    )
    along, across, angle, speed, drive_mps2, steering = state[:, :6].T
    lane = np.where(across > 0, 1.75, -1.75)
    for at, offset in (state[:, 9:11].T, state[:, 7:9].T):  # the nearer one last
        lane = np.where((along > at - 25) & (along < at + 5), -np.sign(offset) * 1.75, lane)
    wanted = 0.3 * (lane - across) - 1.6 * angle
    levels = np.linspace(-1, 1, 21)
    masked = np.abs(levels - steering[:, None]) < 0.15
    distance = np.where(masked, np.abs(levels - np.clip(wanted, -1, 1)[:, None]), np.inf)
    throttle = np.where(speed + 0.4 * drive_mps2 < 7.2, 1, -1)
    return np.stack([levels[distance.argmin(1)], throttle], 1)


POLICIES = {"toy-blocks": carry, "toy-lane-strip": drive, "toy-push": push, "toy-unicycle": steer}
