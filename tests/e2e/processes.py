"""Servers that a test kills itself."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from pathlib import Path

from conftest import CHECKPOINT, SERVER
from demo.server import free_port, wait_until_healthy


class ServerProcess:
    """A gwm-server on loopback ports; `kill`, `terminate` and `start` on the same ports."""

    def __init__(self, log: Path, *flags: str) -> None:
        self.log = log
        self.port, self.metrics_port = free_port(), free_port()
        self.flags = flags
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        with self.log.open("a") as output:
            self.process = subprocess.Popen(
                [
                    str(SERVER),
                    f"--listen={self.address}",
                    f"--checkpoint={CHECKPOINT}",
                    f"--metrics-listen=127.0.0.1:{self.metrics_port}",
                    *self.flags,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until_healthy(SERVER, self.address, self.process, self.log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; returns the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)

    def metric(self, name: str) -> float:
        """The sum of all samples of `name` on /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as reply:
            text = reply.read().decode()
        samples = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        assert samples, f"no metric {name}"
        return sum(map(float, samples))
