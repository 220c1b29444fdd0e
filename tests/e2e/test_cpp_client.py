"""The C++ client against the real server: it sees what the Python client sees."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import gwm
from conftest import BUILD, EPISODES
from demo.rollouts import frames_at
from gwm.episode import read_episode
from PIL import Image

EPISODE = EPISODES / "plate-slide-v3/expert_005.safetensors.zst"


def run_step(address: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [str(BUILD / "bin/gwm-step"), f"--address={address}", *flags]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)


def test_both_clients_get_the_same_rewards(client: gwm.Client, address: str, tmp_path: Path) -> None:
    outcome = run_step(
        address, f"--episode={EPISODE}", "--frame=2", "--steps=6", "--seed=0", f"--out={tmp_path}"
    )
    assert outcome.returncode == 0, outcome.stderr
    rollout = json.loads((tmp_path / "rollout.json").read_text())
    episode = read_episode(EPISODE)
    with client.create_session(seed=0) as session:
        session.reset(frames=frames_at(episode, [2], client.spec().context_frames))
        rewards = [float(session.step(episode.action[step]).reward[0]) for step in range(3, 9)]
    assert [step["reward"] for step in rollout["steps"]] == rewards
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.size == (7 * 128, 2 * 128)


def test_it_starts_from_the_pool_and_says_when_it_may_not(address: str) -> None:
    assert run_step(address, "--steps=2", "--pool_index=0").returncode == 0
    refused = run_step(address, "--steps=2", "--pool_index=1000000")
    assert refused.returncode == 1
    assert "pool_indices" in refused.stderr
