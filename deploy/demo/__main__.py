"""`make demo`: a server on the shipped checkpoint, driven over gRPC from Python and from the C++ client.

Imagines the futures of held-out real episodes and compares them with what happened. Writes into the output
folder: report.json (metrics by horizon, speed), contact_sheet.png, rollout.gif, gaussians.ply, cpp/ (what the
C++ client saw) and server.log; prints a short table. Exit status 0 exactly when everything worked.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gwm
from gwm.episode import Episode, find_episodes, read_episode

from demo.pictures import Story, animation, contact_sheet, tell
from demo.ply import write_ply
from demo.rollouts import FIRST_START, Evaluation, evaluate, frames_at, time_steps
from demo.server import ServerError, running_server

BUDGET_S = 60.0
CPP_STEPS = 20
_BEGAN = time.monotonic()


def say(text: str) -> None:
    print(f"[demo {time.monotonic() - _BEGAN:4.0f} s] {text}", flush=True)


def held_out(root: Path) -> list[tuple[Path, Episode]]:
    """The episodes, ordered so that neighbours differ in task: an early stop is fair to all."""
    paths = find_episodes(root)
    if not paths:
        raise FileNotFoundError(f"no episode files below {root}")
    by_task: dict[str, list[Path]] = {}
    for path in paths:
        by_task.setdefault(path.parent.name, []).append(path)
    longest = max(len(group) for group in by_task.values())
    mixed = [group[index] for index in range(longest) for group in by_task.values() if index < len(group)]
    return [(path, read_episode(path)) for path in mixed]


def first_of_each_task(episodes: list[tuple[Path, Episode]]) -> list[tuple[Path, Episode]]:
    chosen: dict[str, tuple[Path, Episode]] = {}
    for path, episode in episodes:
        chosen.setdefault(path.parent.name, (path, episode))
    return list(chosen.values())


def drive_from_cpp(program: Path, address: str, episode: Path, out: Path) -> dict[str, Any]:
    """Runs gwm-step on `episode`; returns its rollout.json."""
    command = [str(program), f"--address={address}", f"--episode={episode}", f"--frame={FIRST_START}"]
    command += [f"--steps={CPP_STEPS}", "--seed=0", f"--out={out}"]
    outcome = subprocess.run(command, check=False, capture_output=True, text=True)
    if outcome.returncode != 0:
        raise RuntimeError(f"gwm-step ended with status {outcome.returncode}: {outcome.stderr.strip()}")
    rollout: dict[str, Any] = json.loads((out / "rollout.json").read_text())
    return rollout


def rewards_from_python(client: gwm.Client, episode: Episode) -> list[float]:
    """What gwm-step does, from Python: the same seed, frame and actions."""
    rewards = []
    with client.create_session(seed=0, observations=["rgb"]) as session:
        session.reset(frames=frames_at(episode, [FIRST_START], client.spec().context_frames))
        for step in range(1, CPP_STEPS + 1):
            rewards.append(float(session.step(episode.action[FIRST_START + step]).reward[0]))
    return rewards


def table(report: dict[str, Any]) -> str:
    lines = [
        f"{'horizon':>8} {'PSNR':>7} {'repeat':>7} {'changed':>8} {'repeat':>7} {'shuffled':>8} "
        f"{'SSIM':>6} {'depth':>8}"
    ]

    def cell(value: float | None, width: int, digits: int) -> str:
        return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"

    for horizon, row in report["horizons"].items():
        lines.append(
            f"{horizon:>8} {cell(row['psnr'], 7, 2)} {cell(row['psnr_repeat_last'], 7, 2)} "
            f"{cell(row['psnr_changed'], 8, 2)} {cell(row['psnr_changed_repeat_last'], 7, 2)} "
            f"{cell(row['psnr_changed_shuffled'], 8, 2)} {cell(row['ssim'], 6, 3)} "
            f"{cell(row['depth_mae_m'], 6, 3)} m"
        )
    lines.append(
        f"one client, one world: {report['steps_per_second']:.1f} steps/s with images, "
        f"p50 {report['step_ms_p50']:.1f} ms, p99 {report['step_ms_p99']:.1f} ms"
    )
    return "\n".join(lines)


def make_report(client: gwm.Client, evaluation: Evaluation, timing: dict[str, float]) -> dict[str, Any]:
    spec = client.spec()
    return {
        "model_id": spec.model_id,
        "checkpoint_digest": spec.checkpoint_digest,
        "device": spec.device,
        "episodes": evaluation.episodes,
        "rollouts": evaluation.rollouts,
        "horizons": {str(key): value.report() for key, value in evaluation.horizons.items()},
        **timing,
    }


def demonstrate(address: str, options: argparse.Namespace) -> dict[str, Any]:
    episodes = held_out(options.episodes)
    chosen = first_of_each_task(episodes)
    with gwm.Client(address) as client:
        say(f"{client.spec().model_id} serves on {client.spec().device}; {len(episodes)} held-out episodes")
        timing = time_steps(client, chosen[0][1])
        rollout = drive_from_cpp(options.build / "bin/gwm-step", address, chosen[0][0], options.out / "cpp")
        cpp_rewards = [float(step["reward"]) for step in rollout["steps"]]
        say(f"the C++ client made {len(cpp_rewards)} steps")
        python_rewards = rewards_from_python(client, chosen[0][1])
        stories: list[Story] = [tell(client, path.parent.name, episode) for path, episode in chosen]
        contact_sheet(stories, options.out / "contact_sheet.png")
        animation(stories, options.out / "rollout.gif")
        write_ply(options.out / "gaussians.ply", stories[0].gaussians)
        say("wrote contact_sheet.png, rollout.gif, gaussians.ply")
        evaluation = evaluate(client, episodes, options.budget_s, say)
        report = make_report(client, evaluation, timing)
    report["cpp_client"] = {
        "steps": len(cpp_rewards),
        "same_rewards_as_python": cpp_rewards == python_rewards[: len(cpp_rewards)],
    }
    return report


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--build", type=Path, default=Path("build/release"), help="build folder with bin/gwm-server"
    )
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints/gwm-small"))
    parser.add_argument(
        "--episodes", type=Path, default=Path("tests/data/episodes"), help="held-out episodes"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/demo"), help="folder for the results, emptied first"
    )
    parser.add_argument("--address", help="a server that runs already, instead of one of our own")
    parser.add_argument("--budget-s", type=float, default=BUDGET_S, help="seconds for the evaluation")
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    try:
        if options.address:
            report = demonstrate(options.address, options)
        else:
            say("starting the server")
            program = options.build / "bin/gwm-server"
            with running_server(program, options.checkpoint, options.out / "server.log") as address:
                report = demonstrate(address, options)
    except (ServerError, gwm.GwmError, OSError, ValueError, RuntimeError) as error:
        print(f"demo failed: {error}", file=sys.stderr)
        return 1
    report["demo_seconds"] = time.monotonic() - _BEGAN
    (options.out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))
    say(f"results in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
