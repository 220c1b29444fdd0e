"""What the client hands out and takes in: plain dataclasses of numpy arrays.

Axes: n rows (environments), B branches, T time, V views, H x W pixels, C cameras, N Gaussians, K
spherical-harmonics coefficients, M latent tokens, L latent channels, D feature channels, A action channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from gwm._generated import scene_pb2, simulator_pb2
from gwm.episode import Episode
from gwm.wire import from_tensor, to_tensor

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera, OpenCV axes (x right, y down, z forward), pixel centres at +0.5."""

    intrinsics: Array  # f32 [3, 3], pixels
    world_from_cam: Array  # f32 [4, 4], metres
    width: int
    height: int

    def to_proto(self) -> scene_pb2.Camera:
        return scene_pb2.Camera(
            intrinsics=np.asarray(self.intrinsics, np.float32).reshape(-1),
            world_from_cam=np.asarray(self.world_from_cam, np.float32).reshape(-1),
            width=self.width,
            height=self.height,
        )

    @staticmethod
    def from_proto(camera: scene_pb2.Camera) -> Camera:
        return Camera(
            np.array(camera.intrinsics, np.float32).reshape(3, 3),
            np.array(camera.world_from_cam, np.float32).reshape(4, 4),
            camera.width,
            camera.height,
        )

    def moved(self, translation_m: Sequence[float]) -> Camera:
        """The same camera moved along its own axes (x right, y down, z forward), not turned."""
        pose = np.array(self.world_from_cam, np.float32)
        pose[:3, 3] += pose[:3, :3] @ np.asarray(translation_m, np.float32)
        return Camera(self.intrinsics, pose, self.width, self.height)


@dataclass(frozen=True)
class RgbdFrames:
    """Real images to start worlds from, oldest first."""

    rgb: Array  # u8 [n, T, V, H, W, 3]
    depth_mm: Array  # u16 [n, T, V, H, W]; 0 = nothing hit
    intrinsics: Array  # f32 [V, 3, 3] or [n, V, 3, 3]
    world_from_cam: Array  # f32 [V, 4, 4] or [n, V, 4, 4]
    actions: Array | None = None  # f32 [n, T - 1, A]

    @staticmethod
    def from_episode(episode: Episode, rows: Sequence[int], context: int = 1) -> RgbdFrames:
        """One world per entry of `rows`: that frame of the episode and up to `context - 1` before it.

        Worlds of one call have equally many frames, so an early row shortens all. Raises IndexError.
        """
        for row in rows:
            if not 0 <= row < len(episode):
                raise IndexError(f"row {row} of an episode of {len(episode)} rows")
        length = max(1, min(context, min(rows) + 1))
        spans = [slice(row + 1 - length, row + 1) for row in rows]
        # actions[t] of the episode led to frame t; here entry t leads from frame t to frame t + 1.
        actions = np.stack([episode.action[span][1:] for span in spans]) if length > 1 else None
        return RgbdFrames(
            rgb=np.stack([episode.rgb[span] for span in spans]),
            depth_mm=np.stack([episode.depth_mm[span] for span in spans]),
            intrinsics=episode.intrinsics,
            world_from_cam=episode.world_from_cam,
            actions=actions,
        )

    def to_proto(self) -> scene_pb2.RgbdFrames:
        frames = scene_pb2.RgbdFrames(
            rgb=to_tensor(self.rgb, np.uint8),
            depth_mm=to_tensor(self.depth_mm, np.uint16),
            intrinsics=to_tensor(self.intrinsics, np.float32),
            world_from_cam=to_tensor(self.world_from_cam, np.float32),
        )
        if self.actions is not None:
            frames.actions.CopyFrom(to_tensor(self.actions, np.float32))
        return frames


@dataclass(frozen=True)
class EpisodeFrame:
    """A frame of an episode file on the server."""

    path: str
    frame: int = 0


@dataclass(frozen=True)
class StateRef:
    """A state of an environment: its bytes, which go on bit for bit on any server of the same checkpoint and
    the same kind of device, or the id under which its server keeps it. Exactly one of the two is there.
    """

    blob: bytes = b""
    state_id: str = ""

    def to_proto(self) -> simulator_pb2.StateRef:
        if bool(self.blob) == bool(self.state_id):
            raise ValueError("a StateRef has either a blob or a state_id")
        if self.state_id:
            return simulator_pb2.StateRef(state_id=self.state_id)
        return simulator_pb2.StateRef(blob=self.blob)

    @staticmethod
    def from_proto(reference: simulator_pb2.StateRef) -> StateRef:
        return StateRef(blob=reference.blob, state_id=reference.state_id)


@dataclass(frozen=True)
class Gaussians:
    """N Gaussians in the unconstrained parametrisation of 3D Gaussian Splatting PLY files, world frame."""

    means: Array  # f32 [N, 3], metres
    log_scales: Array  # f32 [N, 3]
    quats: Array  # f32 [N, 4], w x y z
    sh: Array  # f32 [N, K, 3]
    opacity_logits: Array  # f32 [N]

    @staticmethod
    def from_proto(cloud: scene_pb2.GaussianCloud) -> Gaussians:
        return Gaussians(
            from_tensor(cloud.means),
            from_tensor(cloud.log_scales),
            from_tensor(cloud.quats),
            from_tensor(cloud.sh),
            from_tensor(cloud.opacity_logits),
        )


@dataclass(frozen=True)
class Images:
    """What a render returned; None for what was not asked for."""

    rgb: Array | None  # u8 or f32 [n, C, H, W, 3]
    depth: Array | None  # f32 [n, C, H, W], metres; 0 where nothing is seen
    alpha: Array | None  # f32 [n, C, H, W]
    gaussians: tuple[Gaussians, ...]  # one per world

    @staticmethod
    def from_proto(images: scene_pb2.RenderedImages) -> Images:
        def get(name: str) -> Array | None:
            return from_tensor(getattr(images, name)) if images.HasField(name) else None

        clouds = tuple(Gaussians.from_proto(cloud) for cloud in images.gaussians)
        return Images(get("rgb"), get("depth"), get("alpha"), clouds)


@dataclass(frozen=True)
class SessionSummary:
    """An open session, as Client.sessions() finds it."""

    session_id: str
    num_envs: int
    state_bytes: int  # memory set aside
    created_s: float  # Unix time
    expires_s: float  # Unix time, if no call comes


@dataclass(frozen=True)
class Timing:
    """Where a call's time went on the server.

    The stages queue, encode, dynamics, reward, render and pack follow each other and add up to total_s. They
    are what the call waited for; device_s is what it used: its share of what was computed together with
    others.
    """

    queue_s: float
    device_s: float
    batch_size: int
    sampler_calls: int
    encode_s: float = 0.0
    dynamics_s: float = 0.0
    reward_s: float = 0.0
    render_s: float = 0.0
    pack_s: float = 0.0
    total_s: float = 0.0


@dataclass(frozen=True)
class ResetResult:
    """The start of n episodes."""

    observations: dict[str, Array]  # each [n, ...]
    episode: Array  # u64 [n]
    pool_indices: Array  # u32 [n], or [0] when the reset had frames of its own
    intrinsics: Array | None  # f32 [n, V, 3, 3]
    world_from_cam: Array | None  # f32 [n, V, 4, 4]
    timing: Timing
    replayed: bool = False  # the stored reply of a call that was repeated
    step_index: Array | None = None  # u64 [n]: 0 unless the reset started from a state


class TruncationReason(IntEnum):
    """Why an episode was cut off."""

    NONE = 0
    MAX_EPISODE_STEPS = 1
    MODEL_HORIZON = 2  # expected_error exceeds the session's max_expected_error
    ENVIRONMENT = 3  # by a real environment itself


@dataclass(frozen=True)
class FinalRows:
    """k rows of a step that ended an episode and began the next one at once, as they were at the end."""

    rows: Array  # u32 [k], ascending
    observations: dict[str, Array]  # each [k, ...]
    step_index: Array  # u64 [k]: steps that the episodes had


@dataclass(frozen=True)
class StepResult:
    """One step of n environments."""

    observations: dict[str, Array]  # each [n, ...]
    reward: Array  # f32 [n]
    terminated: Array  # bool [n]
    truncated: Array  # bool [n]
    success: Array  # bool [n]
    success_probability: Array  # f32 [n]
    step_index: Array  # u64 [n]
    failed: Array  # bool [n]: the row's result was not finite; it needs a reset
    timing: Timing
    replayed: bool = False  # the stored reply of a call that was repeated
    # f32 [n]: squared error of the new state's latents that the model expects, as a share of their variance;
    # None unless Spec.tells_expected_error.
    expected_error: Array | None = None
    # i32 [n], of TruncationReason; [0] from a server that does not tell.
    truncation_reason: Array = field(default_factory=lambda: np.zeros(0, np.int32))
    # Of sessions with auto_reset:
    reset: Array | None = None  # bool [n]: an episode began in this step
    episode: Array | None = None  # u64 [n]: number of the present episode
    pool_indices: Array | None = None  # u32 [n], of rows whose episode began; [0] when none did
    final: FinalRows | None = None


@dataclass(frozen=True)
class ImagineChunk:
    """S imagined steps of B branches."""

    t: int  # steps imagined so far, those of this chunk included
    reward: Array  # f32 [B, S]
    terminated: Array  # bool [B, S]
    success: Array  # bool [B, S]
    done: Array  # bool [B]
    failed: Array  # bool [B]
    observations: dict[str, Array]  # each [B, ...], after step t
    final_states: tuple[StateRef, ...] = ()  # on the last chunk when asked for: one per branch
    expected_error: Array | None = None  # f32 [B, S], as in StepResult
    timing: Timing | None = None  # since the server began to make the chunk


@dataclass(frozen=True)
class Plan:
    """K action sequences tried from one state."""

    returns: Array  # f32 [K]: discounted sums of rewards; -inf for a sequence that failed
    best: int
    best_actions: Array  # f32 [H, A]
    terminated: Array  # bool [K]: the episode ended within the sequence
    success: Array  # bool [K]: the goal was met at some step
    failed: Array  # bool [K]
    expected_error: Array | None = None  # f32 [H] of the best sequence, as in StepResult
    timing: Timing | None = None


@dataclass(frozen=True)
class ObserveResult:
    """n imagined states beside real frames."""

    latent_error: Array  # f32 [n]: squared error, as a share of the variance; what expected_error expects
    psnr_db: Array  # f32 [n], of the rendered image, at most 100
    episode: Array  # u64 [n]
    step_index: Array  # u64 [n]
    observations: dict[str, Array]  # each [n, ...], of the states after the call
    replayed: bool = False  # the stored reply of a call that was repeated
    timing: Timing | None = None


@dataclass(frozen=True)
class Encoded:
    latents: Array  # f32 [n, M, L]
    centres: Array  # f32 [n, M, 3], metres, world frame
    # One per world when asked for: the farthest point sample, whose first k are the sample of k.
    gaussians: tuple[Gaussians, ...] = ()
    model_id: str = ""
    checkpoint_digest: str = ""  # of the version that answered


@dataclass(frozen=True)
class FeatureTokens:
    features: Array  # [n, M, D], or pooled [n, D] or [n, 8, D]; f16, or f32 (also for "bf16")
    centres: Array | None  # f32 [n, M, 3], metres, world frame; None when pooled
    model_id: str = ""
    checkpoint_digest: str = ""  # of the version that answered
    # What the features depend on besides the frames: equal keys and equal frames, equal features.
    cache_key: str = ""


@dataclass(frozen=True)
class FieldSpec:
    """One array that goes in or comes out, without its leading row axis."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    min: float
    max: float


@dataclass(frozen=True)
class Spec:
    """What an address serves; `raw` is the whole SimulatorSpec message."""

    model_id: str
    checkpoint_digest: str
    contract_version: str
    device: str
    precision: str  # of the model: "fp32" or "bf16"; empty for a real environment
    action: FieldSpec
    observations: dict[str, FieldSpec]
    horizon: int  # 0: unlimited or not known
    cameras: tuple[Camera, ...]
    rpcs: frozenset[str]
    inits: frozenset[str]
    reset_pool_size: int
    context_frames: int
    views: int
    height: int
    width: int
    control_dt_s: float
    tasks: tuple[str, ...]
    tells_expected_error: bool  # Step, Imagine and Plan tell the error to expect
    raw: Any


@dataclass(frozen=True)
class ServerInfo:
    server_instance_id: str
    version: str
    model_id: str
    device: str
    start_time_s: float  # Unix time
    sessions: int
    envs: int
    rpcs: frozenset[str]
