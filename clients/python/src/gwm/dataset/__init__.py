"""Data sets: collecting them in Meta-World, bringing foreign ones in, checking them.

`python -m gwm.dataset` collects; `gwm dataset import` and `gwm dataset check` are in `importer` and `check`.
"""

from __future__ import annotations

from gwm.dataset.collection import (
    DEFAULT_COUNTS,
    DEFAULT_TASKS,
    PlannedEpisode,
    plan_episodes,
    record_episode,
)

__all__ = ["DEFAULT_COUNTS", "DEFAULT_TASKS", "PlannedEpisode", "plan_episodes", "record_episode"]
