"""gwm: a learned world that you can step, over gRPC.

`Client` talks to a server; `gymnasium.make("gwm/World-v0", address=...)` wraps one; `gwm --help` is the
command line.
"""

from gwm.client import Client
from gwm.episode import Episode, EpisodeError, find_episodes, read_episode, write_episode
from gwm.errors import (
    ConflictError,
    DeadlineError,
    GwmError,
    InvalidRequestError,
    NotFoundError,
    PreconditionError,
    ResourceExhaustedError,
    UnavailableError,
    UnimplementedError,
)
from gwm.models import ModelInfo
from gwm.policy_client import ActResult, ActRow, Policy, PolicySpec
from gwm.register import register_envs
from gwm.retry import RetryPolicy
from gwm.session import Session
from gwm.step_stream import StepStream
from gwm.trainer import PartSchedule, Trainer, TrainingJob
from gwm.types import (
    Camera,
    EpisodeFrame,
    Gaussians,
    Images,
    RgbdFrames,
    Spec,
    StateRef,
    TruncationReason,
)
from gwm.version import VERSION as __version__

__all__ = [
    "ActResult",
    "ActRow",
    "Camera",
    "Client",
    "ConflictError",
    "DeadlineError",
    "Episode",
    "EpisodeError",
    "EpisodeFrame",
    "Gaussians",
    "GwmError",
    "Images",
    "InvalidRequestError",
    "ModelInfo",
    "NotFoundError",
    "PartSchedule",
    "Policy",
    "PolicySpec",
    "PreconditionError",
    "ResourceExhaustedError",
    "RetryPolicy",
    "RgbdFrames",
    "Session",
    "Spec",
    "StateRef",
    "StepStream",
    "Trainer",
    "TrainingJob",
    "TruncationReason",
    "UnavailableError",
    "UnimplementedError",
    "__version__",
    "find_episodes",
    "read_episode",
    "register_envs",
    "write_episode",
]

register_envs()
