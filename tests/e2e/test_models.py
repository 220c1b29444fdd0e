"""Two versions of a model in one server: a swap under load, broken checkpoints, memory that comes back."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gwm
import numpy as np
import pytest
from conftest import CHECKPOINT
from processes import ServerProcess

STEPS = 12


def rewrite_sums(folder: Path) -> str:
    """SHA256SUMS of what lies in the folder now; returns the checkpoint's new digest."""
    names = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def another_version(folder: Path) -> str:
    """A checkpoint whose dynamics differ from the shipped one's; returns its digest."""
    shutil.copytree(CHECKPOINT, folder)
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    header_bytes = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + header_bytes])
    begin, end = header["dynamics.action_embed.down.bias"]["data_offsets"]
    start = 8 + header_bytes
    values = np.frombuffer(data[start + begin : start + end], np.uint16)[::-1]
    data[start + begin : start + end] = values.tobytes()
    weights.write_bytes(data)
    return rewrite_sums(folder)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    another_version(folder / "next")
    shutil.copytree(CHECKPOINT, folder / "damaged")
    weights = folder / "damaged/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    shutil.copytree(folder / "damaged", folder / "truncated")
    rewrite_sums(folder / "truncated")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def server(root: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "server.log", f"--checkpoint-root={root}", "--device=cpu")
    yield process
    assert process.terminate() == 0


def walk(session: gwm.Session, steps: int = STEPS) -> list[np.ndarray]:
    chosen = np.random.default_rng(3).uniform(-1, 1, (steps, 1, 4)).astype(np.float32)
    session.reset(seed=5, pool_indices=[0])
    return [session.step(action, observations=["latent"]).observations["latent"] for action in chosen]


class Stepper(threading.Thread):
    """Steps one session over and over along the same walk until it is told to stop."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.over = threading.Event()
        self.walks: list[list[np.ndarray]] = []
        self.changed = threading.Condition()
        self.times_s: list[tuple[float, float]] = []
        self.error: Exception | None = None
        self.client = gwm.Client(address, timeout_s=60, retry=gwm.RetryPolicy(attempts=1))
        self.session = self.client.create_session()

    def run(self) -> None:
        chosen = np.random.default_rng(3).uniform(-1, 1, (STEPS, 1, 4)).astype(np.float32)
        try:
            while not self.over.is_set():
                self.session.reset(seed=5, pool_indices=[0])
                seen = []
                for action in chosen:
                    start_s = time.monotonic()
                    result = self.session.step(action, observations=["latent"])
                    self.times_s.append((start_s, time.monotonic() - start_s))
                    seen.append(result.observations["latent"])
                self.tell(seen)
        except Exception as error:  # shown by the test
            self.error = error
            self.tell(None)

    def tell(self, walked: list[np.ndarray] | None) -> None:
        with self.changed:
            if walked is not None:
                self.walks.append(walked)
            self.changed.notify_all()

    def await_walks(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.error or len(self.walks) >= count, timeout=120)
        assert self.error is None, self.error


def test_a_swap_under_load_fails_no_step_and_changes_no_pinned_session(
    server: ServerProcess, root: Path
) -> None:
    with gwm.Client(server.address, timeout_s=120) as client:
        old = client.spec().checkpoint_digest
        with client.create_session() as session:
            expected = walk(session)
        stepper = Stepper(server.address)
        stepper.start()
        stepper.await_walks(2)
        start_s = time.monotonic()
        loaded = client.models.load("next", set_default=True)
        load_s = time.monotonic() - start_s
        assert (loaded.state, loaded.is_default) == ("ready", True)
        assert loaded.checkpoint_digest != old
        # New sessions are on the new version, whose dynamics differ; the old session is where it was.
        with client.create_session() as session:
            assert session.checkpoint_digest == loaded.checkpoint_digest
            assert not np.array_equal(walk(session)[-1], expected[-1])
        assert client.models.unload(old, drain=True).state == "draining"
        walks = len(stepper.walks)
        stepper.await_walks(walks + 2)
        stepper.over.set()
        stepper.join()
        assert stepper.error is None, stepper.error
        for seen in stepper.walks:
            for step, latent in zip(expected, seen, strict=True):
                np.testing.assert_array_equal(step, latent)
        during = [t for at, t in stepper.times_s if start_s - t <= at <= start_s + load_s]
        alone = [t for at, t in stepper.times_s if at + t < start_s]
        print(f"load {load_s:.2f} s; steps alone {spread(alone)}, while loading {spread(during)}")
        stepper.session.close()
        stepper.client.close()
        deadline_s = time.monotonic() + 60
        while len(client.models.list()) > 1:  # it goes when its last session has
            assert time.monotonic() < deadline_s
        assert [m.checkpoint_digest for m in client.models.list()] == [loaded.checkpoint_digest]
        with pytest.raises(gwm.NotFoundError):
            client.create_session(checkpoint_digest=old)


def test_what_cannot_be_loaded_changes_nothing_and_tells_no_paths(server: ServerProcess, root: Path) -> None:
    (root / "away").unlink(missing_ok=True)
    (root / "away").symlink_to(CHECKPOINT)
    with gwm.Client(server.address, timeout_s=120) as client:
        old = client.spec().checkpoint_digest
        cases = {
            "damaged": ("DATA_LOSS", "BAD_CHECKPOINT"),
            "truncated": ("", "BAD_CHECKPOINT"),
            "empty": ("NOT_FOUND", "BAD_CHECKPOINT"),
            "absent": ("NOT_FOUND", "UNKNOWN"),
            "../" + CHECKPOINT.name: ("INVALID_ARGUMENT", "BAD_FIELD"),
            str(CHECKPOINT): ("INVALID_ARGUMENT", "BAD_FIELD"),
            "away": ("INVALID_ARGUMENT", "BAD_FIELD"),
        }
        for checkpoint, (code, reason) in cases.items():
            with pytest.raises(gwm.GwmError) as caught:
                client.models.load(checkpoint)
            assert caught.value.reason == reason, (checkpoint, str(caught.value))
            assert code in ("", caught.value.code.name), (checkpoint, str(caught.value))
            if not checkpoint.startswith("/"):
                assert str(root) not in str(caught.value)
        with pytest.raises(gwm.PreconditionError):
            client.models.load("next", expected_digest="0" * 64)
        served = [model for model in client.models.list() if model.state != "failed"]
        assert [model.checkpoint_digest for model in served] == [old]
        assert server.metric("gwm_model_load_failures_total") == 4
        assert server.metric("gwm_model_loaded") == 1
        with client.create_session() as session:
            walk(session, 1)


def test_memory_comes_back_after_loads_and_unloads(server: ServerProcess) -> None:
    with gwm.Client(server.address, timeout_s=120) as client:

        def cycle() -> None:
            digest = client.models.load("next").checkpoint_digest
            with client.create_session(checkpoint_digest=digest) as session:
                walk(session, 1)
            with pytest.raises(gwm.GwmError):
                client.models.load("damaged")
            assert client.models.unload(digest).state == "unloaded"

        for _ in range(2):
            cycle()
        before = resident_mib(server.process.pid)
        for _ in range(6):
            cycle()
        grown = resident_mib(server.process.pid) - before
        print(f"resident {before:.0f} MiB, grown by {grown:.1f} MiB in 6 cycles")
        assert grown < 32


def spread(times_s: list[float]) -> str:
    return f"p50 {1e3 * np.median(times_s):.0f} ms, max {1e3 * max(times_s):.0f} ms, n {len(times_s)}"


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def test_an_idle_session_is_spilled_and_comes_back_bit_for_bit(tmp_path: Path) -> None:
    config = tmp_path / "server.textproto"
    config.write_text("limits { max_envs: 1 }")
    server = ServerProcess(tmp_path / "server.log", f"--config={config}", "--device=cpu")
    try:
        with gwm.Client(server.address, timeout_s=60) as client:
            first = client.create_session(spillable=True)
            first.reset(seed=5, pool_indices=[0])
            chosen = np.random.default_rng(3).uniform(-1, 1, (STEPS, 1, 4)).astype(np.float32)
            expected = [first.step(action, observations=["rgb", "latent"]) for action in chosen]
            first.reset(seed=5, pool_indices=[0])
            other = client.create_session(spillable=True)
            for action, want in zip(chosen, expected, strict=True):
                other.reset(seed=9)
                assert first.status().state == 2
                seen = first.step(action, observations=["rgb", "latent"])
                for name, value in want.observations.items():
                    np.testing.assert_array_equal(seen.observations[name], value)
            assert server.metric("gwm_state_spills_total") >= 2 * STEPS
            assert server.metric("gwm_state_restores_total") >= STEPS
    finally:
        assert server.terminate() == 0
