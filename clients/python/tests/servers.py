"""Servers to run the same cases against: one of real environments, and the built gwm-server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import gwm
import pytest
from conftest import REPOSITORY
from fakes import point_server

BUILD = Path(REPOSITORY / os.environ.get("GWM_BUILD", "build/release"))
PROGRAM = BUILD / "bin" / "gwm-server"
CHECKPOINT = Path(REPOSITORY / os.environ.get("GWM_CHECKPOINT", "checkpoints/gwm-small"))
START_TIMEOUT_S = 60.0


def why_no_model_server() -> str:
    """Empty when the built server can be started."""
    if not PROGRAM.exists():
        return f"{PROGRAM} is not built"
    if not (CHECKPOINT / "config.json").exists():
        return f"there is no checkpoint in {CHECKPOINT}"
    return ""


class ModelServer:
    """A gwm-server process on a Unix socket in a folder of its own, which survives a restart."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.address = f"unix:{folder}/gwm.sock"
        self._flags = flags
        self._log = folder / "server.log"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [str(PROGRAM), f"--listen={self.address}", f"--checkpoint={CHECKPOINT}", *self._flags]
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
        with self._log.open("ab") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        # The client's own back-off waits for the socket; a server that ended will never open it.
        retry = gwm.RetryPolicy(attempts=400, max_wait_s=0.25)
        with gwm.Client(self.address, timeout_s=START_TIMEOUT_S, retry=retry) as client:
            try:
                client.spec()
            except gwm.GwmError as error:
                process.kill()
                process.wait()
                raise RuntimeError(f"gwm-server did not start: {error}\n{self._log.read_text()}") from error
        return process

    def kill_and_restart(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self._start()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@contextlib.contextmanager
def model_server(*flags: str) -> Iterator[ModelServer]:
    """Skips the test, visibly, when the server is not built."""
    reason = why_no_model_server()
    if reason:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="gwm-test-") as folder:
        server = ModelServer(Path(folder), *flags)
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def serving(target: str) -> Iterator[str]:
    """The address of "environment" or "model"."""
    if target == "environment":
        with point_server() as server:
            yield server.address
    else:
        with model_server() as server:
            yield server.address
