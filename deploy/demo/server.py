"""A gwm-server of one's own for as long as a `with` block lasts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 30
POLL_S = 0.1


class ServerError(RuntimeError):
    """The server did not start, or did not stop cleanly; the message holds the end of its log."""


def free_port() -> int:
    """For a server that has to come back at the same address; others take --listen=127.0.0.1:0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(program: Path, checkpoint: Path, log: Path, *flags: str) -> Iterator[str]:
    """Yields the address once the server's own health probe passes. Ends it with SIGINT."""
    port_file = log.with_suffix(".address")
    port_file.unlink(missing_ok=True)
    command = [str(program), "--listen=127.0.0.1:0", f"--port-file={port_file}", f"--checkpoint={checkpoint}"]
    environment = dict(os.environ, OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="0")
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, *flags], stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            address = _wait_for_address(port_file, process, log)
            wait_until_healthy(program, address, process, log)
            yield address
        finally:
            status = _stop(process)
    if status != 0:
        raise ServerError(f"the server ended with status {status}\n{_tail(log)}")


def _wait_for_address(port_file: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not port_file.exists():
        _check_alive(process, deadline, log)
        time.sleep(POLL_S)
    return port_file.read_text().split()[0]


def wait_until_healthy(program: Path, address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns once `gwm-server --health` succeeds. Raises ServerError when the process ends or time is up."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while (
        subprocess.run([str(program), "--health", address], check=False, capture_output=True).returncode != 0
    ):
        _check_alive(process, deadline, log)
        time.sleep(POLL_S)


def _check_alive(process: subprocess.Popen[bytes], deadline: float, log: Path) -> None:
    if process.poll() is not None:
        raise ServerError(f"the server ended with status {process.returncode}\n{_tail(log)}")
    if time.monotonic() > deadline:
        raise ServerError(f"not healthy within {START_TIMEOUT_S} s\n{_tail(log)}")


def _stop(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
