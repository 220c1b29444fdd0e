"""Meta-World tasks as RGB-D environments (needs `metaworld`, `mujoco` and an OpenGL library).

The defaults are those of the published episodes: camera `corner4`, 64x64 pixels, every action applied twice,
1024^2 shadow maps, 4x multisampling, no reflections. An episode collected with other settings shows another
world.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DEFAULT_HORIZON = 100
STATE_SIZE = 39
ACTION_SIZE = 4
# Beyond this the z-depth does not fit in u16 millimetres; only the background is that far away.
MAX_DEPTH_M = 65.5
# MuJoCo renders these upside down: their image is rotated by 180 degrees about the optical axis.
_ROLLED_CAMERAS = frozenset({"corner", "corner2", "corner4"})
# Meta-World refuses to go on after so many steps; one of them is the idle step after a reset.
_SIMULATOR_STEPS = 500
SOURCE = "Meta-World 3.1.1, MuJoCo 3.3.0"


@dataclass(frozen=True)
class ViewOffset:
    """Where an extra camera stands relative to the main one, which looks in the same direction.

    translation_m: (x, y, z) metres, along the main camera's own axes (x right, y down, z forward) for
    frame="camera", along the world's axes for frame="world".
    """

    translation_m: tuple[float, float, float]
    frame: str = "camera"

    def __post_init__(self) -> None:
        if self.frame not in ("camera", "world"):
            raise ValueError(f"ViewOffset.frame is {self.frame!r}; allowed are 'camera' and 'world'")


@dataclass(frozen=True)
class MetaWorldConfig:
    """What is simulated and how it is rendered."""

    task: str
    camera: str = "corner4"
    width: int = 64
    height: int = 64
    action_repeat: int = 2
    shadow_size: int = 1024
    msaa_samples: int = 4
    reflections: bool = False
    horizon: int = DEFAULT_HORIZON
    extra_views: tuple[ViewOffset, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"image size is {self.width}x{self.height}; both sides must be at least 1")
        if self.action_repeat < 1:
            raise ValueError(f"action_repeat is {self.action_repeat}; it must be at least 1")
        most = (_SIMULATOR_STEPS - 1) // self.action_repeat
        if not 1 <= self.horizon <= most:
            raise ValueError(f"horizon is {self.horizon}; allowed are 1 to {most} (Meta-World ends there)")


@dataclass(frozen=True)
class Frame:
    """RGB-D images of every view."""

    rgb: Array  # u8 [V, H, W, 3]
    depth_m: Array  # f32 [V, H, W], z-depth, metres; > 100 where nothing was hit


@dataclass(frozen=True)
class Transition:
    """The result of one agent step."""

    state: Array  # f64 [39], the simulator's own observation, goal visible
    reward: float  # sum over the repeated simulator steps
    terminated: bool  # Meta-World never terminates
    truncated: bool  # the horizon is reached
    success: bool  # as reported by the last simulator step


def depth_to_mm(depth_m: Array) -> Array:
    """z-depth in metres -> u16 millimetres; 0 where nothing was hit (or beyond MAX_DEPTH_M)."""
    # In f32, half to even: the arithmetic of the published episodes.
    millimetres = np.rint(np.asarray(depth_m, np.float32) * np.float32(1000))
    hit = np.isfinite(millimetres) & (millimetres > 0) & (depth_m < MAX_DEPTH_M)
    return np.where(hit, millimetres, 0).astype(np.uint16)


def _import_simulator() -> tuple[Any, Any]:
    """Imports MuJoCo and Meta-World with off-screen software rendering unless the user chose a backend."""
    os.environ.setdefault("MUJOCO_GL", "osmesa")
    if os.environ["MUJOCO_GL"] == "osmesa":
        os.environ.setdefault("PYOPENGL_PLATFORM", "osmesa")
    try:
        import metaworld
        import mujoco
    except ImportError as error:
        raise ImportError(
            "Meta-World environments need the extra packages: pip install 'gwm[metaworld]' "
            f"(missing: {error.name})"
        ) from error
    return metaworld, mujoco


def task_names() -> list[str]:
    """The names of all tasks, such as "hammer-v3"."""
    metaworld, _ = _import_simulator()
    suffix = "-goal-observable"
    return sorted(
        name.removesuffix(suffix) for name in metaworld.env_dict.ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE
    )


class MetaWorldEnv:
    """One Meta-World task with its renderer. Not thread-safe; keep one per process.

    Deliberately no subclass of `gymnasium.Env`: it hands out frames of all views, and it hides
    `compute_reward`, an attribute that makes checkers mistake the simulator for a goal environment. Serve it
    (`gwm serve-env`) and wrap the address in gwm/World-v0 to get a Gymnasium environment.
    """

    def __init__(self, config: MetaWorldConfig) -> None:
        self.config = config
        metaworld, mujoco = _import_simulator()
        self._mujoco = mujoco
        known = metaworld.env_dict.ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE
        key = f"{config.task}-goal-observable"
        if key not in known:
            raise ValueError(f"unknown Meta-World task {config.task!r}; known are {', '.join(task_names())}")
        self._simulator = known[key](seed=0)
        self._simulator._freeze_rand_vec = False
        self._simulator.seeded_rand_vec = True
        self._camera_id = mujoco.mj_name2id(self._simulator.model, mujoco.mjtObj.mjOBJ_CAMERA, config.camera)
        if self._camera_id < 0:
            raise ValueError(f"unknown camera {config.camera!r}")
        self._rolled = config.camera in _ROLLED_CAMERAS
        self._renderer: Any = None
        self._steps = 0

    # --- episode --------------------------------------------------------------------------------------------

    def reset(self, seed: int) -> Array:
        """Starts the episode that `seed` names, whatever happened before -> state f64 [39]."""
        simulator = self._simulator
        simulator.seed(int(seed))
        simulator.reset()
        # Derived quantities are stale after a reset; one idle step brings them up to date.
        state, *_ = simulator.step(np.zeros(ACTION_SIZE, np.float32))
        self._steps = 0
        return np.array(state, np.float64)

    def step(self, action: Array) -> Transition:
        """Applies `action` f32 [4] in [-1, 1], action_repeat times."""
        clipped = np.clip(np.asarray(action, np.float32), -1.0, 1.0)
        reward, success = 0.0, False
        for _ in range(self.config.action_repeat):
            state, step_reward, _, _, info = self._simulator.step(clipped)
            reward += float(step_reward)
            success = bool(info["success"] > 0)
        self._steps += 1
        return Transition(
            state=np.array(state, np.float64),
            reward=reward,
            terminated=False,
            truncated=self._steps >= self.config.horizon,
            success=success,
        )

    # --- cameras --------------------------------------------------------------------------------------------

    @property
    def num_views(self) -> int:
        return 1 + len(self.config.extra_views)

    @property
    def control_dt_s(self) -> float:
        """Simulated seconds per agent step."""
        return float(self._simulator.dt) * self.config.action_repeat

    def intrinsics(self) -> Array:
        """f32 [V, 3, 3], pixels, pixel centres at +0.5."""
        width, height = self.config.width, self.config.height
        fovy_rad = np.deg2rad(self._simulator.model.cam_fovy[self._camera_id])
        focal = 0.5 * height / np.tan(0.5 * fovy_rad)
        matrix = np.array([[focal, 0, 0.5 * width], [0, focal, 0.5 * height], [0, 0, 1]], np.float32)
        return np.repeat(matrix[None], self.num_views, axis=0)

    def world_from_cam(self) -> Array:
        """f32 [V, 4, 4], OpenCV axes (x right, y down, z forward), metres."""
        poses = np.repeat(np.eye(4)[None], self.num_views, axis=0)
        poses[:, :3, :3] = self._world_from_cam_rotation()
        for view in range(self.num_views):
            poses[view, :3, 3] = self._camera_position(view)
        return poses.astype(np.float32)

    def _world_from_cam_rotation(self) -> Array:
        matrix: Array = self._simulator.data.cam_xmat[self._camera_id].reshape(3, 3)
        return matrix @ self._camera_flip()

    def _simulator_matrix(self, world_from_cam_rotation: Array) -> Array:
        """Inverse of _world_from_cam_rotation: the axes as MuJoCo wants them."""
        return world_from_cam_rotation @ self._camera_flip()

    def _camera_flip(self) -> Array:
        """OpenCV axes -> MuJoCo's (y up, looking along -z), and the roll that the flipped image undoes."""
        roll = np.diag([-1.0, -1.0, 1.0]) if self._rolled else np.eye(3)
        return np.diag([1.0, -1.0, -1.0]) @ roll

    def _camera_position(self, view: int) -> Array:
        position: Array = self._simulator.data.cam_xpos[self._camera_id].copy()
        if view > 0:
            offset = self.config.extra_views[view - 1]
            translation = np.asarray(offset.translation_m, np.float64)
            if offset.frame == "camera":
                translation = self._world_from_cam_rotation() @ translation
            position += translation
        return position

    # --- rendering ------------------------------------------------------------------------------------------

    def render(self) -> Frame:
        """The present state, seen by every view."""
        rotation = self._world_from_cam_rotation()
        views = [self._render_from(rotation, self._camera_position(view)) for view in range(self.num_views)]
        return Frame(rgb=np.stack([rgb for rgb, _ in views]), depth_m=np.stack([depth for _, depth in views]))

    def render_from(self, world_from_cam: Array) -> Frame:
        """The present state (V = 1), seen from another pose f32 [4, 4] with the same intrinsics."""
        pose = np.asarray(world_from_cam, np.float64)
        rgb, depth = self._render_from(pose[:3, :3], pose[:3, 3])
        return Frame(rgb=rgb[None], depth_m=depth[None])

    def _ensure_renderer(self) -> Any:
        if self._renderer is None:
            model = self._simulator.model
            # Both are read once, when the render context is made.
            model.vis.quality.shadowsize = self.config.shadow_size
            model.vis.quality.offsamples = self.config.msaa_samples
            model.vis.global_.offwidth = max(int(model.vis.global_.offwidth), self.config.width)
            model.vis.global_.offheight = max(int(model.vis.global_.offheight), self.config.height)
            self._renderer = self._mujoco.Renderer(model, self.config.height, self.config.width)
            self._renderer.scene.flags[self._mujoco.mjtRndFlag.mjRND_REFLECTION] = self.config.reflections
        return self._renderer

    def _render_from(self, world_from_cam_rotation: Array, position_m: Array) -> tuple[Array, Array]:
        """-> (u8 [H, W, 3], f32 [H, W] metres)."""
        renderer = self._ensure_renderer()
        data, camera = self._simulator.data, self._camera_id
        # The scene's camera is read from the derived pose, so moving that one moves the view and nothing
        # else.
        main_position, main_matrix = data.cam_xpos[camera].copy(), data.cam_xmat[camera].copy()
        data.cam_xpos[camera] = position_m
        data.cam_xmat[camera] = self._simulator_matrix(world_from_cam_rotation).reshape(-1)
        renderer.update_scene(data, camera=camera)
        data.cam_xpos[camera], data.cam_xmat[camera] = main_position, main_matrix
        renderer.disable_depth_rendering()
        rgb = renderer.render()
        renderer.enable_depth_rendering()
        depth = renderer.render()
        renderer.disable_depth_rendering()
        if self._rolled:
            rgb, depth = rgb[::-1, ::-1], depth[::-1, ::-1]
        return np.array(rgb, np.uint8), np.array(depth, np.float32)

    def close(self) -> None:
        """Frees the renderer; safe to call twice."""
        renderer, self._renderer = self._renderer, None
        if renderer is None:
            return
        # Renderer.close() frees GL objects in whichever context is current, so make its own one current
        # first.
        renderer._gl_context.make_current()
        renderer._mjr_context.free()
        renderer._mjr_context = None
        renderer.close()
        self._simulator.close()
