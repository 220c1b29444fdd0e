"""gwm-plan: the exact simulator of a toy plans well, and what cannot work is refused in one line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import BUILD, CHECKPOINT, SERVER
from demo.server import running_server


@pytest.fixture(scope="module")
def push(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("push") / "server.log"
    with running_server(SERVER, CHECKPOINT, log, "--toy=push") as where:
        yield where


def run_plan(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BUILD / "bin/gwm-plan"), *flags], check=False, capture_output=True, text=True, timeout=120
    )


def report(push: str, tmp_path: Path, policy: str) -> dict[str, Any]:
    out = tmp_path / f"{policy}.json"
    outcome = run_plan(
        f"--real={push}",
        f"--model={push}",
        "--follow=state",
        f"--policy={policy}",
        "--horizon=8",
        "--episodes=3",
        "--steps=60",
        f"--out={out}",
    )
    assert outcome.returncode == 0, outcome.stderr
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_planning_on_the_exact_simulator_beats_random_actions(push: str, tmp_path: Path) -> None:
    planned = report(push, tmp_path, "plan")
    random = report(push, tmp_path, "random")
    assert len(planned["episodes"]) == len(random["episodes"]) == 3
    assert planned["return_mean"] > random["return_mean"]
    assert planned["imagined_steps"] == 3 * 64 * 8 * sum(one["steps"] for one in planned["episodes"])


def test_the_same_seed_gives_the_same_episodes(push: str, tmp_path: Path) -> None:
    first, second = (report(push, tmp_path, "plan")["episodes"] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--planner=tree"], "--planner is 'tree'; allowed: mppi or cem"),
        (["--policy=best"], "--policy is 'best'; allowed: plan or random"),
        (["--episodes=0"], "--episodes and --steps must be 1 or more"),
        (["--elites=65"], "elites"),
        (["--out=/no/such/folder/plan.json"], "--out: cannot write '/no/such/folder/plan.json'"),
    ],
)
def test_a_wrong_flag_is_named(push: str, flags: list[str], said: str) -> None:
    outcome = run_plan(f"--real={push}", f"--model={push}", "--follow=state", *flags)
    assert outcome.returncode == 2
    assert said in outcome.stderr
