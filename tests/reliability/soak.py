"""Everything at once, for as long as one likes: mixed load with known answers on one server.

Several workers step, reset, imagine, render, fork, plan, export and stream, through a proxy that loses one
reply in ten; some forget to close, some want an answer sooner than is possible, and whole programs are
killed. The world's dynamics are known, so every value is checked.

    make soak                 half an hour (SOAK_MINUTES)
    python tests/reliability/soak.py --minutes 1
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / "clients/python/src"),
    str(ROOT / "clients/python/tests"),
    str(ROOT / "tests/reliability"),
]

import gwm  # noqa: E402
import numpy as np  # noqa: E402
from fake_server import FakeServer, bench, pause  # noqa: E402
from fault_proxy import FaultProxy, fault_proxy  # noqa: E402

LOSS = 0.1
TTL_S = 2.0
# Of the workers' own sessions, some of which get lost.
LEASE_S = 20.0
GRACE_S = 10.0
ENVS = 3
# Of the process, from the end of the first minute (or tenth) to the end.
ALLOWED_GROWTH_BYTES = 16 << 20
PATIENT = gwm.RetryPolicy(attempts=50, first_wait_s=0.005, max_wait_s=0.05)
LIMITS = "max_sessions: 2000 min_idle_ttl { seconds: 1 }"
# The world ends an episode at |x0| = 10 and starts at 0 to 4; this keeps it inside for a good while.
ACTIONS = np.float32([-0.25, -0.125, 0.0, 0.125, 0.25])


@dataclass
class Report:
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lost_replies: int = 0
    grown_bytes: int = 0
    free_after_s: float = 0.0

    def check(self, what: str, seen: object, expected: object) -> None:
        self.done[what] += 1
        if not np.array_equal(np.asarray(seen), np.asarray(expected)):
            self.wrong.append(f"{what}: {seen} instead of {expected}")


class Worker:
    """One client that knows where its environments must be."""

    def __init__(self, address: str, seed: int, report: Report, stop: threading.Event) -> None:
        self.stop = stop
        self.random = random.Random(seed)
        self.report = report
        self.client = gwm.Client(address, timeout_s=60, retry=PATIENT)
        self.session: gwm.Session | None = None
        self.x = np.zeros((ENVS, 2), np.float32)

    def play(self) -> None:
        acts = (self.step, self.step, self.step, self.stream, self.imagine, self.render, self.fork, self.plan)
        rare = (self.begin, self.forget, self.hurry, self.carry)
        self.begin()
        while not self.stop.is_set():
            act = self.random.choice(rare if self.random.random() < 0.05 else acts)
            try:
                act()
            except gwm.NotFoundError:
                self.begin()  # it slept longer than its lease
            except Exception as error:  # every failure is a finding, whatever its kind
                if not self.stop.is_set():
                    self.report.wrong.append(f"{act.__name__}: {error!r}")
                    self.begin()
        self.client.close()

    def begin(self) -> None:
        if self.session is not None:
            self.session.close()
        seed = self.random.randrange(1 << 30)
        self.session = self.client.create_session(
            ENVS, seed=seed, observations=["latent"], idle_ttl_s=LEASE_S
        )
        self.report.check("create", self.session.seed, seed)
        self.reset()

    def reset(self) -> None:
        assert self.session is not None
        pool = [self.random.randrange(5) for _ in range(ENVS)]
        result = self.session.reset(pool_indices=pool)
        self.x = np.array([[index, 0] for index in pool], np.float32)
        self.report.check("reset", result.observations["latent"][:, 0, :2], self.x)

    def actions(self, *shape: int) -> np.ndarray:
        return np.array(self.random.choices(list(ACTIONS), k=int(np.prod(shape))), np.float32).reshape(shape)

    def step(self) -> None:
        assert self.session is not None
        actions = self.actions(ENVS, 2)
        result = self.session.step(actions)
        self.x = self.x + actions
        self.report.check("step", result.observations["latent"][:, 0, :2], self.x)
        self.report.check("reward", result.reward, actions.sum(1))
        if result.terminated.any():
            self.reset()

    def stream(self) -> None:
        assert self.session is not None
        with self.session.run() as stream:
            chosen = {env: self.actions(1, 2) for env in range(ENVS)}
            for env, action in chosen.items():
                stream.send(action, [env])
            ended = False
            for _ in range(ENVS):
                env_ids, result = stream.recv(60)
                env = int(env_ids[0])
                self.x[env] += chosen[env][0]
                self.report.check("stream", result.observations["latent"][0, 0, :2], self.x[env])
                ended = ended or bool(result.terminated.any())  # type: ignore[union-attr]
        if ended:
            self.reset()

    def imagine(self) -> None:
        assert self.session is not None
        actions = self.actions(2, 4, 2) / 8
        # A rollout that breaks has to be started again by the caller; it changed nothing.
        with contextlib.suppress(gwm.UnavailableError):
            chunks = list(self.session.imagine(actions, stride=2))
            seen = np.concatenate([chunk.reward for chunk in chunks], 1)
            self.report.check("imagine", seen, actions.sum(2))

    def render(self) -> None:
        assert self.session is not None
        images = self.session.render([0], outputs=["gaussians"])
        self.report.check("render", images.gaussians[0].means[0, :2], self.x[0])

    def fork(self) -> None:
        assert self.session is not None
        with self.session.fork([0]) as child:
            images = child.render(outputs=["gaussians"])
            self.report.check("fork", images.gaussians[0].means[0, :2], self.x[0])

    def plan(self) -> None:
        assert self.session is not None
        actions = self.actions(4, 3, 2) / 8
        plan = self.session.plan(actions)
        self.report.check("plan", plan.returns, actions.sum((1, 2)))

    def carry(self) -> None:
        """Out of the server, and back into it."""
        assert self.session is not None
        state = self.session.export_state(0)
        result = self.session.reset([1], state=state)
        self.x[1] = self.x[0]
        self.report.check("carry", result.observations["latent"][0, 0, :2], self.x[1])

    def forget(self) -> None:
        """A session that nobody closes."""
        self.client.create_session(1, idle_ttl_s=TTL_S).reset()
        self.report.done["forgotten"] += 1

    def hurry(self) -> None:
        """A call that cannot be answered in time changes nothing, or is found out about."""
        assert self.session is not None
        hasty = gwm.Client(self.client.address, timeout_s=0.0005, retry=gwm.RetryPolicy(attempts=1))
        with hasty, contextlib.suppress(gwm.GwmError):
            hasty.server_info()
        self.report.done["hurried"] += 1


def kill_clients(address: str, stop: threading.Event, report: Report) -> None:
    """Programs of 20 clients each that are killed in the middle of their steps."""
    while not stop.is_set():
        load = bench(
            address,
            "--mode=steps",
            "--connections=20",
            f"--idle_ttl_ms={int(TTL_S * 1000)}",
            "--duration=600",
        )
        stop.wait(1.5)
        load.kill()
        load.wait()
        report.done["killed clients"] += 20
        stop.wait(3)


def soak(minutes: float, folder: Path, workers: int = 4, seed: int = 0) -> Report:
    report = Report()
    server = FakeServer(folder / "soak", "--step-us=200", limits=LIMITS)
    stop = threading.Event()
    with fault_proxy(server.address, seed=seed) as proxy:
        threads = [
            threading.Thread(target=Worker(proxy.address, seed + number, report, stop).play)
            for number in range(workers)
        ]
        threads.append(threading.Thread(target=kill_clients, args=(server.address, stop, report)))
        for thread in threads:
            thread.start()
        proxy.loss = LOSS
        watch(minutes * 60, server, proxy, report)
        stop.set()
        for thread in threads:
            thread.join()
        report.lost_replies = proxy.lost
    if server.process.poll() is not None:
        return report  # watch has said so
    report.free_after_s = server.await_sessions(0, LEASE_S + GRACE_S)
    report.check("state bytes at the end", server.metric("gwm_state_pool_used_bytes"), 0)
    report.check("exit status", server.stop(), 0)
    return report


def watch(seconds: float, server: FakeServer, proxy: FaultProxy, report: Report) -> None:
    """Waits, says now and then how things stand, and measures how memory grows after a first part."""
    start_s = time.monotonic()
    warm_s = min(60.0, seconds / 3)
    rss = 0
    said_s = start_s
    while (passed_s := time.monotonic() - start_s) < seconds:
        if server.process.poll() is not None:
            report.wrong.append(f"the server ended with status {server.process.returncode}")
            print(report.wrong[-1], flush=True)
            return
        if not rss and passed_s >= warm_s:
            rss = server.rss_bytes()
        if time.monotonic() - said_s >= 30:
            said_s = time.monotonic()
            checks = sum(report.done.values())
            print(
                f"{passed_s / 60:5.1f} of {seconds / 60:.0f} min: {checks} checks, "
                f"{len(report.wrong)} wrong, {proxy.lost} replies lost, {server.rss_bytes() / 1e6:.0f} MB",
                flush=True,
            )
        pause(0.2)
    report.grown_bytes = server.rss_bytes() - rss


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = float(os.environ.get("SOAK_MINUTES", "30"))
    parser.add_argument("--minutes", type=float, default=default, help="how long (%(default)g)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gwm-soak-") as folder:
        report = soak(args.minutes, Path(folder), seed=args.seed)
    for what, count in sorted(report.done.items()):
        print(f"{what:24} {count}")
    print(f"{'lost replies':24} {report.lost_replies}")
    print(f"{'memory grown':24} {report.grown_bytes / 1e6:.1f} MB")
    print(f"{'all free after':24} {report.free_after_s:.1f} s")
    for line in report.wrong[:20]:
        print(f"WRONG {line}")
    good = not report.wrong and report.grown_bytes < ALLOWED_GROWTH_BYTES
    print(f"soak of {args.minutes:g} min: {'passed' if good else 'FAILED'}, {len(report.wrong)} wrong")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
