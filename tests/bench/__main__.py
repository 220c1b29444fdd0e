"""Measures the rows of the benchmark table beside their baselines and writes bench.json and bench.md.

  make bench                              everything, about 15 minutes on two quiet cores
  deploy/run_benchmarks.py --quick        the short form: does everything work?
  deploy/run_benchmarks.py --rows C1,C5   some rows

Without --rows the scaling tables (scaling.json, scaling.md) and the check of instruction counts follow.

Exit status: 0, also when a target is missed (the reason is in the table); 1 when outputs differ from the
baseline's, when a row failed, or when a kernel executes more instructions than is written down.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from bench import report, wait_policy
from bench.baselines import ensure_baselines
from bench.ceilings import describe_machine, measure_ceilings
from bench.one_row import child_environment, measure_apart
from bench.registry import ROWS, chosen
from bench.result import Result
from bench.settings import ROOT, Settings


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run_benchmarks.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default="", help="names with commas, such as C1,C5; empty: all")
    parser.add_argument("--quick", action="store_true", help="few measurements each")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", help="build folder")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench", help="where the reports go")
    parser.add_argument(
        "--checkpoint", type=Path, default=ROOT / "checkpoints/gwm-small", help="model to load"
    )
    return parser.parse_args()


def _say(text: str) -> None:
    print(f"[bench] {text}", flush=True)


def _verdict(result: Result) -> str:
    if result.ratio is None:
        return f"{result.state}: {result.reason}" if result.state != "measured" else "measured, no ratio"
    return f"{result.ratio:.3g}x {result.baseline_name} (target {result.target})"


def measure_rows(names: list[str], settings: Settings, out: Path, facts: dict[str, str]) -> list[Result]:
    """Row after row, with the time that is left; the reports are written anew after each."""
    machine: dict[str, str] = {**describe_machine(), **facts}
    results: list[Result] = []
    ceilings = measure_ceilings(settings.quick)
    for index, name in enumerate(names):
        left = sum(ROWS[later].seconds for later in names[index:])
        _say(f"{index + 1}/{len(names)} {name} {ROWS[name].title}; about {left / 60:.0f} min left")
        for result in measure_apart(name, settings, ceilings):
            _say(f"    {result.case}: {_verdict(result)}")
            results.append(result)
        report.write(out, results, machine, ceilings.to_json())
    return results


def _after_the_rows(settings: Settings, out: Path) -> bool:
    """Scaling tables, then the check of instruction counts: whether that one passed."""
    _say("scaling tables; about 2 min")
    job = json.dumps({**settings.to_json(), "out": str(out)})
    command = [sys.executable, "-m", "bench.scaling", job]
    done = subprocess.run(command, env=child_environment(), check=False)
    _say((out / "scaling.md").read_text() if done.returncode == 0 else "the scaling tables failed")
    _say("instruction counts under callgrind; about 1 min")
    command = [sys.executable, "-m", "bench.check_instructions", f"--build={settings.build}"]
    return subprocess.run(command, env=child_environment(), check=False).returncode == 0


def main() -> int:
    options = _arguments()
    settings = Settings(options.build.resolve(), options.checkpoint.resolve(), options.quick)
    try:
        names = chosen(options.rows)
    except ValueError as error:
        _say(f"error: {error}")
        return 2
    began = time.monotonic()
    if missing := ensure_baselines():
        _say(f"rows whose baselines need it are skipped: {missing}")
    policy = wait_policy.fastest_policy(child_environment())
    os.environ.update(wait_policy.POLICIES[policy])
    _say(f"idle OpenMP threads wait {policy}: the faster for Torch here and now")
    results = measure_rows(names, settings, options.out, {"openmp_wait": policy})
    instructions_ok = options.rows != "" or _after_the_rows(settings, options.out)
    print((options.out / "bench.md").read_text())
    _say(f"{time.monotonic() - began:.0f} s; {options.out}/bench.json, {options.out}/bench.md")
    wrong = any(result.state in ("refused", "failed") for result in results)
    return 1 if wrong or not instructions_ok else 0


if __name__ == "__main__":
    raise SystemExit(main())
