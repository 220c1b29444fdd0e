"""Servers that a test kills itself."""

from __future__ import annotations

import re
import signal
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
        self.flags = (
            flags if any(flag.startswith("--config") for flag in flags) else (*flags, self._one_thread())
        )
        self.start()

    def _one_thread(self) -> str:
        """Bits depend on the number of compute threads, which a probe would choose by its timing."""
        config = self.log.with_suffix(".textproto")
        config.write_text("threads: 1\n")
        return f"--config={config}"

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

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> int:
        """SIGTERM, or SIGINT for no time as a lame duck; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)

    def metrics_page(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as reply:
            return str(reply.read().decode())

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all samples of `name` on /metrics that have these labels."""
        text = self.metrics_page()
        samples = re.findall(rf"^{name}(\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        assert samples, f"no metric {name}"
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(value) for have, value in samples if all(label in have for label in wanted))
