"""Measures one row in a process of its own: a crash, or threads left behind, cannot touch the others."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from bench.ceilings import Ceilings
from bench.registry import ROWS
from bench.result import Result, failed, skipped
from bench.settings import BASELINE_PACKAGES, ROOT, Settings, environment

# Of the lines that a child prints, those with results begin so.
_MARK = "result: "
_LOG_LINES = 30


def measure(name: str, settings: Settings, ceilings: Ceilings) -> Iterator[Result]:
    """In this process. What the machine lacks makes the row skipped, what goes wrong makes it failed."""
    try:
        yield from ROWS[name].measure()(name, settings, ceilings)
    except ModuleNotFoundError as error:
        yield skipped(
            name, "", f'{error}: a package that requirements.txt marks with extra == "bench" is missing'
        )
    except Exception as error:
        traceback.print_exc()
        yield failed(name, f"{type(error).__name__}: {error}".splitlines()[0])


def measure_apart(name: str, settings: Settings, ceilings: Ceilings) -> list[Result]:
    """The same in a child process, for at most the row's timeout: what it has by then counts."""
    job = {"row": name, **settings.to_json(), "ceilings": ceilings.to_json()}
    command = [sys.executable, "-m", "bench.one_row", json.dumps(job)]
    timeout_s = ROWS[name].timeout_s
    with tempfile.TemporaryFile("w+") as log:
        try:
            child = subprocess.run(
                command,
                env=child_environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as ended:
            late = skipped(name, "", f"the rest was not measured within {timeout_s:.0f} s")
            return [*_results(ended.stdout), late]
        results = _results(child.stdout)
        if child.returncode != 0:
            results.append(failed(name, f"the process ended with status {child.returncode}"))
        if any(result.state == "failed" for result in results):
            log.seek(0)
            print("".join(log.readlines()[-_LOG_LINES:]), file=sys.stderr)
    return results


def _results(output: bytes | None) -> list[Result]:
    lines = (output or b"").decode().splitlines()
    return [Result(**json.loads(line[len(_MARK) :])) for line in lines if line.startswith(_MARK)]


def child_environment() -> dict[str, str]:
    """The parent's, with the folders of this package, of the client and of the baselines on the path."""
    paths = [ROOT / "tests", ROOT / "clients/python/src", ROOT / "deploy", BASELINE_PACKAGES]
    # Kept from run to run: compiling the baseline takes minutes.
    compiled = {"TORCHINDUCTOR_CACHE_DIR": str(ROOT / "build/bench-inductor")}
    path = {"PYTHONPATH": ":".join(map(str, paths)), "PYTHONWARNINGS": "ignore"}
    return {**environment(), **compiled, **path}


def main() -> None:
    job = json.loads(sys.argv[1])
    settings = Settings(Path(job["build"]), Path(job["checkpoint"]), job["quick"])
    for result in measure(job["row"], settings, Ceilings(**job["ceilings"])):
        print(_MARK + json.dumps(result.to_json()), flush=True)


if __name__ == "__main__":
    main()
