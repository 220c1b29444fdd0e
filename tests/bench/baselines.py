"""The Python packages of the baselines: a folder beside the pinned environment, made on first need."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys

from bench.settings import BASELINE_PACKAGES, ROOT

REQUIREMENTS = ROOT / "requirements.txt"
_MARKER = 'extra == "bench"'
_TIMEOUT_S = 600.0


def pinned_baselines() -> list[str]:
    """The packages of requirements.txt that only benchmarks need, as `name==version`."""
    lines = REQUIREMENTS.read_text().splitlines()
    return [line.split(";")[0].strip() for line in lines if line.endswith(_MARKER)]


def ensure_baselines() -> str:
    """Empty when all packages are there; else why not. Rows that need them are skipped then."""
    packages = pinned_baselines()
    stamp = BASELINE_PACKAGES / (".complete-" + hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12])
    if stamp.exists():
        return ""
    shutil.rmtree(BASELINE_PACKAGES, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--target", str(BASELINE_PACKAGES), *packages]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"pip took longer than {_TIMEOUT_S:.0f} s"
    if done.returncode != 0:
        return f"pip could not install {' '.join(packages)}: {done.stderr.strip().splitlines()[-1:]}"
    stamp.touch()
    return ""
