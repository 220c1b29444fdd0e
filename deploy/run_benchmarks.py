"""Runs every benchmark program (build/<preset>/bench/*), keeps its JSON and prints one table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path


def run_program(program: Path, report: Path) -> list[dict[str, object]]:
    """The rows of one google-benchmark program. Raises CalledProcessError when it fails."""
    environment = dict(os.environ, OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="0")
    subprocess.run(
        [
            str(program),
            f"--benchmark_out={report}",
            "--benchmark_out_format=json",
            "--benchmark_format=console",
        ],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    rows: list[dict[str, object]] = json.loads(report.read_text())["benchmarks"]
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build/release"), help="build folder")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="where the JSON files go")
    options = parser.parse_args()
    folder = options.build / "bench"
    programs = sorted(path for path in folder.glob("*") if path.is_file() and os.access(path, os.X_OK))
    if not programs:
        print(f"no benchmark programs in {folder}")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    for program in programs:
        report = options.out / f"{program.name}.json"
        for row in run_program(program, report):
            time = float(str(row["real_time"]))
            print(f"{program.name:24} {row['name']!s:48} {time:12.1f} {row['time_unit']}")
        print(f"{report}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
