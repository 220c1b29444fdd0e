"""How long a step takes while the server trains beside it.

Starts gwm-server on a checkpoint, steps one session in a closed loop alone, then beside a job that trains the
dynamics of the same checkpoint without end, for each maximum share of the device.

    build/python/bin/python tests/bench/step_while_training.py
    build/python/bin/python tests/bench/step_while_training.py --steps 400 --shares 10 50 --micro-rows 1
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "clients/python/src"))

import gwm  # noqa: E402

BUILD = ROOT / os.environ.get("GWM_BUILD", "build/release")
EPISODES = ROOT / "tests/data/episodes"


@contextmanager
def serving(checkpoint: Path) -> Iterator[gwm.Client]:
    with tempfile.TemporaryDirectory(prefix="gwm-bench-") as folder:
        (Path(folder) / "checkpoints").mkdir()
        command = [
            str(BUILD / "bin/gwm-server"),
            f"--listen=unix:{folder}/gwm.sock",
            f"--checkpoint={checkpoint}",
            f"--checkpoint-root={folder}/checkpoints",
            f"--training-root={folder}/training",
            "--log-level=error",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            retry = gwm.RetryPolicy(attempts=400, max_wait_s=0.25)
            with gwm.Client(f"unix:{folder}/gwm.sock", timeout_s=60, retry=retry) as client:
                client.spec()
                yield client
        finally:
            process.terminate()
            process.wait()


def step_times_ms(client: gwm.Client, steps: int) -> np.ndarray:
    with client.create_session() as session:
        session.reset(seed=1)
        action = np.zeros((1, *client.spec().action.shape), np.float32)
        times = []
        for _ in range(steps):
            start_s = time.perf_counter()
            session.step(action)
            times.append(1e3 * (time.perf_counter() - start_s))
    return np.array(times)


def begin_job(client: gwm.Client, name: str, episodes: list[gwm.Episode], share: int, rows: int) -> None:
    client.trainer.append(name, episodes)
    client.trainer.start(
        name,
        {"dynamics": gwm.PartSchedule(10**6)},
        job_id=name,
        model_digest=client.spec().checkpoint_digest,
        micro_rows=rows,
        max_share_percent=share,
    )
    for job in client.trainer.watch(name, min_interval_s=0.1, timeout_s=120):  # past encoding the episodes
        if job.parts["dynamics"].updates > 0:
            return


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "checkpoints/gwm-small")
    parser.add_argument("--steps", type=int, default=300, help="in each measurement [300]")
    parser.add_argument("--shares", type=int, nargs="+", default=[10, 25, 50], help="percent [10 25 50]")
    parser.add_argument("--micro-rows", type=int, default=4, help="rows of a micro-batch [4]")
    options = parser.parse_args()
    episodes = [gwm.read_episode(path) for path in gwm.find_episodes(EPISODES)[:3]]
    with serving(options.checkpoint) as client:
        step_times_ms(client, 20)
        alone = np.percentile(step_times_ms(client, options.steps), [50, 95, 99])
        print("training        p50 ms  p95 ms  p99 ms  p95 / alone  device share  updates/s", flush=True)
        print(f"{'none':<14}" + "".join(f"{value:8.1f}" for value in alone), flush=True)
        for share in options.shares:
            name = f"share{share}"
            begin_job(client, name, episodes, share, options.micro_rows)
            before, start_s = client.trainer.job(name), time.perf_counter()
            times = np.percentile(step_times_ms(client, options.steps), [50, 95, 99])
            passed_s, after = time.perf_counter() - start_s, client.trainer.job(name)
            client.trainer.cancel(name)
            used = (after.device_time_s - before.device_time_s) / passed_s
            updates = after.parts["dynamics"].updates - before.parts["dynamics"].updates
            print(
                f"{f'up to {share} %':<14}"
                + "".join(f"{value:8.1f}" for value in times)
                + f"{times[1] / alone[1]:13.2f}{used:13.1%}{updates / passed_s:11.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
