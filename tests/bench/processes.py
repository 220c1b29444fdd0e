"""Servers of one's own for as long as a `with` block lasts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.settings import ROOT, Settings

STOP_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Server:
    address: str
    metrics_port: int
    pid: int

    def rss_bytes(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        if found is None:
            raise RuntimeError("the server is gone")
        return 1024 * int(found.group(1))

    def metric(self, name: str, label: str = "") -> float:
        """The sum of all samples of `name` whose labels hold `label`."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as reply:
            lines = reply.read().decode().splitlines()
        mine = [line for line in lines if line.startswith((name + " ", name + "{")) and label in line]
        return sum(float(line.split()[-1]) for line in mine)


@contextmanager
def listening(
    command: list[str], environment: Mapping[str, str] | None = None, *, metrics: bool = False
) -> Iterator[Server]:
    """Starts `command`, which must print "listening on ADDRESS"; ends it by end of input and a signal.

    Raises RuntimeError with the log when it ends before that line.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **(environment or {})},
            cwd=ROOT,
            text=True,
        )
        try:
            address = _wait_for(process, r"listening on (\S+)", log)
            port = int(_wait_for(process, r"metrics on port (\d+)", log)) if metrics else 0
            yield Server(address, port, process.pid)
        finally:
            _end(process)


def _wait_for(process: subprocess.Popen[str], pattern: str, log: object) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(pattern, line)
        if found:
            return found.group(1)
    log.seek(0)  # type: ignore[attr-defined]
    raise RuntimeError(f"{process.args}: {log.read()[-2000:]}")  # type: ignore[attr-defined]


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def fake_server(settings: Settings, *flags: str) -> list[str]:
    """The real server on a world of two numbers."""
    return [str(settings.program("gwm-fake-server")), "--listen=127.0.0.1:0", *flags]


def model_server(settings: Settings, *flags: str) -> list[str]:
    """The real server on the checkpoint."""
    program = str(settings.program("gwm-server"))
    return [program, "--listen=127.0.0.1:0", f"--checkpoint={settings.checkpoint}", *flags]


def python_server(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
