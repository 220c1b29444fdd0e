"""A gwm-fake-server process: what it holds, and how much memory it takes."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import gwm

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("GWM_BUILD", "build/release")
SERVER = BUILD / "bin/gwm-fake-server"
BENCH = BUILD / "bin/gwm-bench-server"
_START_TIMEOUT_S = 30.0
_POLL_S = 0.05


def pause(seconds: float) -> None:
    """Between two looks at something that has no event to wait for."""
    threading.Event().wait(seconds)


class FakeServer:
    """Listens on free loopback ports. limits: text of the configuration's `limits`; settings: of the rest."""

    def __init__(self, folder: Path, *flags: str, limits: str = "", settings: str = "") -> None:
        folder.mkdir(parents=True)
        self.exit_status = 0  # that it should end with
        self._log = folder / "server.log"
        config = folder / "server.textproto"
        config.write_text(f"limits {{ {limits} }}\nlame_duck {{}}\n{settings}\n")
        command = [
            str(SERVER),
            "--listen=127.0.0.1:0",
            "--metrics-listen=127.0.0.1:0",
            f"--config={config}",
            *flags,
        ]
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        self.address = self._wait_for(r"listening on (\S+)")
        self._metrics_port = self._wait_for(r"metrics on port (\d+)")

    def _wait_for(self, pattern: str) -> str:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline_s and self.process.poll() is None:
            found = re.search(pattern, self._log.read_text())
            if found:
                return found.group(1)
            pause(_POLL_S)
        self.process.kill()
        raise RuntimeError(f"gwm-fake-server did not start: {self._log.read_text()}")

    def metric(self, name: str) -> float:
        """The sum of all samples of `name`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics", timeout=30) as reply:
            text = reply.read().decode()
        return sum(map(float, re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)))

    def rss_bytes(self) -> int:
        """Memory of the process that is in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmRSS:\s+(\d+)", status).group(1))  # type: ignore[union-attr]

    def await_sessions(self, count: int, timeout_s: float) -> float:
        """How long it took until `count` sessions are open, seconds; raises TimeoutError."""
        start_s = time.monotonic()
        while (open_now := self.sessions()) != count:
            if time.monotonic() - start_s > timeout_s:
                raise TimeoutError(f"{open_now} sessions are open after {timeout_s} s, not {count}")
            pause(_POLL_S)
        return time.monotonic() - start_s

    def sessions(self) -> int:
        with gwm.Client(self.address) as client:
            return int(client.server_info().sessions)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)


def bench(address: str, *flags: str) -> subprocess.Popen[bytes]:
    """A gwm-bench-server that goes on until it is killed, or for its --duration."""
    command = [str(BENCH), f"--address={address}", "--warmup=0", *flags]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
